#include "environment/secrets.h"

#include <doctest/doctest.h>

#include "environment/host_environment.h"
#include "example_job.h"

using namespace trainit;
using namespace trainit::environment;

namespace {

Secrets of(std::string_view hyperparameters) {
  return Secrets::collect({}, test::hyperparameters(hyperparameters));
}

Secrets of_variable(std::string name, std::string value) {
  Environment environment;
  environment.set(std::move(name), std::move(value), "inherited");
  return Secrets::collect(environment, {});
}

bool looks_secret(std::string_view name) { return secret_kind(name) != SecretKind::kNone; }

}  // namespace

TEST_CASE("names that hold a secret's word look secret") {
  for (const char* name : {"API_KEY",
                           "api-key",
                           "apiKey",
                           "APIKey",
                           "apikey",
                           "KEY",
                           "hf_token",
                           "HF_TOKEN",
                           "DB_PASSWORD",
                           "passwd",
                           "MYSQL_PWD",
                           "client.secret",
                           "AWS_SECRET_ACCESS_KEY",
                           "private",
                           "creds",
                           "db_credentials",
                           "credential",
                           "auth",
                           "SM_HP_WANDB_API_KEY",
                           "SMTP_PASS",
                           "db_pass",
                           "GITHUB_PAT",
                           "API_KEYS",
                           "list_of_keys",
                           "hf-tokens",
                           "myAuthToken",
                           "dbpassword",
                           "PGPASSWORD",
                           "mysecret",
                           "accesstoken",
                           "NGROK_AUTHTOKEN",
                           "secretkey",
                           "HFTOKEN",
                           "SSHPASS",
                           "password1",
                           "TOKEN_2",
                           "key2"}) {
    CAPTURE(name);
    CHECK(looks_secret(name));
  }
}

TEST_CASE("names that only sound like it do not") {
  for (const char* name : {"tokenizer", "TOKENIZERS_PARALLELISM", "keyboard", "monkey", "author",
                           "secretary", "compass", "PATH", "bypass", "passes", "OLDPWD", "turkey",
                           "secrecy", "tokenized", "2", "", "-"}) {
    CAPTURE(name);
    CHECK_FALSE(looks_secret(name));
  }
}

TEST_CASE("numbers, switches and places under such names are no secrets") {
  CHECK_FALSE(is_secret("num_key_value_heads", "8"));
  CHECK_FALSE(is_secret("key_dim", "0.5"));
  CHECK_FALSE(is_secret("use_auth_token", "true"));
  CHECK_FALSE(is_secret("use_auth_token", "False"));
  CHECK_FALSE(is_secret("SSH_AUTH_SOCK", "/tmp/agent"));
  CHECK_FALSE(is_secret("PASSWORD_FILE", "/run/secrets/password"));
  CHECK_FALSE(is_secret("PWD", "/some/directory"));
  CHECK_FALSE(is_secret("token", ""));
  CHECK(is_secret("password", "12345678"));
  CHECK(is_secret("key", "abc"));
  CHECK(is_secret("secret", "/slash/at/its/start"));
  CHECK_FALSE(is_secret("pass_k", "10"));
  CHECK_FALSE(is_secret("two_pass", "true"));
  CHECK(is_secret("DB_PASS", "letmein"));
  CHECK(is_secret("GITHUB_PAT", "ghp_abc"));
  CHECK(is_secret("pwd", "hunter2"));
  CHECK(is_secret("MYSQL_PWD", "/slash"));
  CHECK(is_secret("file_pwd", "/slash"));
}

TEST_CASE("a number of many digits under a word for a key is no count") {
  CHECK(is_secret("api_token", "12345678901234567890"));
  CHECK(is_secret("api_token", " 123456789012\n"));
  CHECK_FALSE(is_secret("api_token", "12345678901"));
  CHECK_FALSE(is_secret("key_dim", "0.1234567890123"));
  CHECK_FALSE(is_secret("train_tokens", "15000000000000"));
  CHECK(of(R"({"api_token": 12345678901234567890})").mask("12345678901234567890") == "***");
}

TEST_CASE("one of several keys or tokens is a secret when it looks like one") {
  for (const char* value : {"512", "1e9", "", "true", "image", "image, label", "input_ids", "</s>",
                            "[MASK]", R"(["image","label"])"}) {
    CAPTURE(value);
    CHECK_FALSE(is_secret("num_tokens", value));
    CHECK_FALSE(is_secret("keys", value));
  }
  CHECK(is_secret("API_KEYS", "sk-1,sk-2"));
  CHECK(is_secret("list_of_keys", "AbCdEf"));
  const Secrets secrets = of(R"({"list_of_keys": ["sk-12345", "plain"], "input_keys": ["image"],
                                 "tokens": {"eos": "</s>", "n": 51200, "api": "hf-67890"}})");
  CHECK(secrets.mask("sk-12345 plain image </s> 51200 hf-67890") ==
        "*** plain image </s> 51200 ***");
  CHECK(dump_json(secrets.mask_json("keys", Json(Json::Array{"sk-1", "plain"}))) ==
        R"(["***","plain"])");
}

TEST_CASE("a place is no secret as a hyperparameter either") {
  CHECK(of(R"({"key_file": "/run/key", "auth": {"key": "/a/b/c"}})").mask("/run/key /a/b/c") ==
        "/run/key ***");
}

TEST_CASE("a secret's value is masked wherever it stands") {
  const Secrets secrets = of(R"({"api_key": "hunter2!", "other": 1})");
  CHECK(secrets.mask("python train.py --api_key hunter2! --other 1") ==
        "python train.py --api_key *** --other 1");
  CHECK(secrets.mask("xhunter2!hunter2!y") == "x******y");
  CHECK(secrets.mask("nothing here") == "nothing here");
}

TEST_CASE("secrets inside lists and objects are found") {
  const Secrets secrets = of(R"({"db": {"user": "bob-smith", "password": "s3cr3t!"},
                                 "credentials": {"a": ["first-one"], "n": 17}, "trainit_api_key": "ours-alone"})");
  CHECK(secrets.mask("bob-smith s3cr3t! first-one 17 ours-alone") == "bob-smith *** *** 17 ***");
}

TEST_CASE("no variable or argument shows a secret, however its characters are escaped in it") {
  const std::string value = R"(pä"s's\w😀zq9)";
  test::ExampleJob example(
      R"({"password": "pä\"s's\\w😀zq9", "list": ["pä\"s's\\w😀zq9"], "map": {"x": "pä\"s's\\w😀zq9"}})");
  const Environment variables = example.variables()->variables;
  const auto arguments = *script_arguments(example.job.hyperparameters, ArgumentStyle::kToolkit);
  const Secrets secrets = Secrets::collect({}, example.job.hyperparameters);
  const Environment masked = mask_environment(variables, secrets);
  for (const auto& [name, variable] : masked.variables()) {
    CAPTURE(name);
    CAPTURE(variable.value);
    // Every form of it keeps these letters next to each other.
    CHECK(variable.value.find("zq9") == std::string::npos);
    CHECK(variable.value.find("s's") == std::string::npos);
  }
  CHECK(secrets.mask_variable("SM_HPS", *variables.find("SM_HPS")) ==
        R"({"list":["***"],"map":{"x":"***"},"password":"***"})");
  CHECK(secrets.mask_variable("SM_USER_ARGS", *variables.find("SM_USER_ARGS")) ==
        R"(["--list","['***']","--map","x=***","--password","***"])");
  CHECK(secrets.mask_arguments(arguments) ==
        std::vector<std::string>{"--list", "['***']", "--map", "x=***", "--password", "***"});
  // A log line in JSON that quotes SM_HPS; a shell's command line; the file itself.
  CHECK(secrets.mask(dump_json(Json(*variables.find("SM_HPS")))).find("zq9") == std::string::npos);
  CHECK(secrets.mask(R"('pä"s'\''s\w😀zq9')") == "'***'");
  CHECK(secrets.mask(R"({"password": "\"pä\\\"s's\\\\w😀zq9\""})") == R"({"password": "\"***\""})");
  CHECK(secrets.mask(value) == "***");
}

TEST_CASE("secrets of inherited variables are masked, in JSON values too") {
  CHECK(of_variable("HF_TOKEN", "hf_abcdef").mask("token hf_abcdef") == "token ***");
  CHECK(of_variable("SETTINGS", R"({"smtp": {"password": "letmein"}})").mask("letmein") == "***");
  CHECK(of_variable("SETTINGS", "{password: letmein").mask("letmein") == "letmein");
}

TEST_CASE("secrets of a command line are found behind their options") {
  const std::vector<std::string> argv = {
      "train", "--token", "tok-123", "--db-password=letmein", "API_KEY=key-456", "--epochs", "3"};
  const Secrets secrets = Secrets::collect({}, {}, argv);
  CHECK(secrets.mask_arguments(argv) == std::vector<std::string>{"train", "--token", "***",
                                                                 "--db-password=***", "API_KEY=***",
                                                                 "--epochs", "3"});
  CHECK(secrets.mask("tok-123 letmein key-456") == "*** *** ***");
}

TEST_CASE(
    "secrets of a command line are found in a program's text, and not in what looks like it") {
  const auto masked = [](const std::string& program) {
    const std::vector<std::string> argv = {"x", "-c", program};
    return Secrets::collect({}, {}, argv).mask_arguments(argv)[2];
  };
  CHECK(masked("export DB_PASSWORD=letmein; python train.py") ==
        "export DB_PASSWORD=***; python train.py");
  CHECK(masked("cd /x && HF_TOKEN=hf_abc1 train --a=b") == "cd /x && HF_TOKEN=*** train --a=b");
  CHECK(masked("import x; login(user='bob', api_key = 'q7')") ==
        "import x; login(user='bob', api_key = '***')");
  for (const char* program :
       {R"(import os; print(quote(os.environ["DATABASE_PASSWORD"],safe="")))",
        "import x; sorted(names, key=length)", "cd /x; train --token $HF_TOKEN PASSWORD=$OTHER",
        "import x; token = read(1)", "if [ \"$PASSWORD\" = x ]; then train; fi"}) {
    CAPTURE(program);
    CHECK(masked(program) == program);
  }
}

TEST_CASE("what stands in a program is masked elsewhere, too") {
  const Secrets secrets = Secrets::collect({}, {}, {"sh", "-c", "cd /; A_TOKEN=tok-123 train"});
  CHECK(secrets.mask("no tok-123 in train") == "no *** in train");
}

TEST_CASE("secrets in a text that holds JSON or Python's text are masked") {
  for (const char* hyperparameters :
       {R"({"cfg": "\"{\\\"password\\\": \\\"deep-one\\\"}\""})",
        R"({"cfg": "{'password': 'deep-one'}"})",
        R"({"cfg": "[{'a': (1, {'token': \"deep-one\"})}]"})",
        R"({"cfg": {"list": ["{'token': '{\"x\": 1}', 'key': 'deep-one'}"]}})"}) {
    CAPTURE(hyperparameters);
    test::ExampleJob example(hyperparameters);
    const Secrets secrets = Secrets::collect({}, example.job.hyperparameters);
    CHECK(secrets.mask("deep-one") == "***");
    const auto built = example.variables();
    REQUIRE(built);
    const Environment masked = mask_environment(built->variables, secrets);
    for (const auto& [name, variable] : masked.variables()) {
      CAPTURE(name);
      CHECK(variable.value.find("deep-one") == std::string::npos);
    }
  }
  CHECK(of_variable("SETTINGS", "{'smtp': {'password': 'letmein'}}").mask("letmein") == "***");
}

TEST_CASE("what counts in an argument counts in every text, and in a list of such") {
  const Secrets secrets = of(R"({"x": "[\"--token\",\"first-one\"]", "z": "db_password=third-one",
                                 "y": "[\"a\",\"--password=second-one\"]",
                                 "args": ["--api-key", "fourth-one", 5, "--secret", 123456, "--epochs", "ten-epochs"],
                                 "deep": {"opts": "['user=bob-smith,password=fifth-one']"}})");
  CHECK(secrets.mask("first-one second-one third-one fourth-one fifth-one 123456 bob-smith "
                     "ten-epochs") == "*** *** *** *** *** *** bob-smith ten-epochs");
  CHECK(of_variable("JAVA_OPTS", "-Dx=1 -Ddb.password=s3cr3t!").mask("s3cr3t!") == "***");
  const Secrets none;
  CHECK(none.mask_variable("Z", "db_password=q7") == "db_password=***");
  CHECK(none.mask_variable("LIST", R"(["--api-key","q7",5])") == R"(["--api-key","***",5])");
  CHECK(dump_json(none.mask_json("args", Json(Json::Array{"--pin_secret", Json(7), "q7"}))) ==
        R"(["--pin_secret","***","q7"])");
}

TEST_CASE("a text that holds a list or an object keeps its notation") {
  const Secrets none;
  const auto masked = [&](const char* text) { return none.mask_variable("CFG", text); };
  CHECK(masked(R"({"key":"q7","a":1})") == R"({"key": "***", "a": 1})");
  CHECK(masked(R"({"a":1,"key":"q7"})") == R"({"a":1,"key":"***"})");
  CHECK(masked("{'key': 'q7', 'a': None}") == "{'key': '***', 'a': None}");
  CHECK(masked("{'a':  None}") == "{'a':  None}");
  CHECK(masked(R"({"inner": "{'key': 'q7'}"})") == R"({"inner": "{'key': '***'}"})");
  CHECK(masked("{'key': 'q7'") == "{'key': 'q7'");
}

TEST_CASE("texts in texts come to an end before the stack does") {
  std::string text = "q7";
  for (int level = 0; level < 12; ++level) text = dump_json(Json(Json::Array{text}));
  const Secrets none;
  CHECK(none.mask_variable("CFG", text) == text);
  const std::string deep = std::string(190, '[') +
                           dump_json(Json(std::string(150, '[') + std::string(150, ']'))) +
                           std::string(190, ']');
  CHECK(none.mask_variable("CFG", deep) == deep);
}

TEST_CASE("a secret is masked without the white space around it, too") {
  CHECK(of_variable("HF_TOKEN", " hf_abcdef\n").mask("token hf_abcdef is bad") ==
        "token *** is bad");
  CHECK(of_variable("HF_TOKEN", "hf_abcdef\r\n").mask("hf_abcdef\r\n") == "***");
  CHECK(of_variable("HF_TOKEN", "ab \n").mask("ab of abc") == "ab of abc");
}

TEST_CASE("a secret is masked as it stands in a URL, and in JSON that escapes slashes") {
  const Secrets secrets = of_variable("AWS_SESSION_TOKEN", "a/b c+d=\xc3\xa4~");
  CHECK(secrets.mask("<a%2Fb%20c%2Bd%3D%C3%A4~>") == "<***>");
  CHECK(secrets.mask("<a/b%20c%2Bd%3D%C3%A4~>") == "<***>");
  CHECK(secrets.mask("<a%2Fb+c%2Bd%3D%C3%A4~>") == "<***>");
  CHECK(secrets.mask(R"({"x":"a\/b c+d=\u00e4~"})") == R"({"x":"***"})");
  CHECK(secrets.mask(R"({"x":"{\"y\":\"a\\/b c+d=\\u00e4~\"}"})") == R"({"x":"{\"y\":\"***\"}"})");
}

TEST_CASE("each line of a secret of several lines is masked") {
  const char* key =
      "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\n  hkiG9w0BAQEFAASC\nx==\n-----END KEY-----\n";
  const Secrets secrets = of_variable("PRIVATE_KEY", key);
  CHECK(secrets.mask("bad line MIIEvQIBADANBgkq, hkiG9w0BAQEFAASC, x==") ==
        "bad line ***, ***, x==");
  CHECK(secrets.mask(std::string("<") + key + ">") == "<***>");
  const Secrets on_one_line = of_variable("PRIVATE_KEY", R"(MIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC)");
  CHECK(on_one_line.mask("MIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC") == "***\n***");
}

TEST_CASE("the longer of two secrets is masked whole") {
  CHECK(of(R"({"a_key": "abcd", "b_key": "abcdef"})").mask("abcdef abcd") == "*** ***");
}

TEST_CASE("of a text that was cut off nothing is left that may be the beginning of a secret") {
  const Secrets secrets = of(R"({"a_key": "abcdab12", "b_key": "swordfish2"})");
  CHECK(secrets.mask_cut_off("") == "");
  CHECK(secrets.mask_cut_off("one abcdab12 two") == "one *** two");
  CHECK(secrets.mask_cut_off("one abcdab12") == "one ***");
  CHECK(secrets.mask_cut_off("one abcdab12abcda") == "one ***");
  CHECK(secrets.mask_cut_off("one abcdab1") == "one ");
  CHECK(secrets.mask_cut_off("one swordfish") == "one ");
  CHECK(secrets.mask_cut_off("one swordfist") == "one swordfist");
  CHECK(of(R"({"epochs": "10"})").mask_cut_off("one a") == "one a");
}

TEST_CASE(
    "of a text that was cut off at its front nothing is left that may be the end of a secret") {
  const Secrets secrets = of(R"({"a_key": "abcdab12", "b_key": "swordfish2", "c_key": "2 xyz"})");
  const auto left = [&](std::string_view text) { return secrets.apply_behind_cut(text).text; };
  CHECK(left("") == "");
  CHECK(left("dab12 one abcdab12") == " one ***");
  CHECK(left("2 one") == " one");
  CHECK(left("fish2 xyz two") == " two");
  CHECK(left("fish2 xy two") == " xy two");
  CHECK(left("swordfish2 one") == "*** one");
  CHECK(left("ish") == "ish");
  CHECK(of(R"({"epochs": "10"})").apply_behind_cut("0 one").text == "0 one");
}

TEST_CASE("a place in a text that was cut off is known in the text as it was") {
  const Secrets secrets = of(R"({"a_key": "hunter2-swordfish"})");
  const std::string original = "fish\nhunter2-swordfish\nthree";
  const MaskedText masked = secrets.apply_behind_cut(original);
  REQUIRE(masked.text == "\n***\nthree");
  CHECK(masked.original_offset(0) == original.find('\n'));
  CHECK(masked.original_offset(2) == original.find("hunter2"));
  CHECK(masked.original_offset(masked.text.find("three")) == original.find("three"));
}

TEST_CASE("secrets that overlap in a text are masked together, with nothing left of either") {
  const Secrets secrets = of(R"({"a_key": "abcd", "b_key": "cdef"})");
  CHECK(secrets.mask("xabcdefx") == "x***x");
  CHECK(secrets.mask("abcdcdef") == "******");
}

TEST_CASE("a place in a masked text is known in the text as it was") {
  const Secrets secrets = of(R"({"a_key": "hunter2-swordfish", "b_key": "abcd"})");
  const std::string original = "one abcd two\nhunter2-swordfish\nthree";
  const MaskedText masked = secrets.apply(original);
  REQUIRE(masked.text == "one *** two\n***\nthree");
  CHECK(masked.original_offset(0) == 0);
  CHECK(masked.original_offset(masked.text.find("***") + 2) == original.find("abcd"));
  CHECK(masked.original_offset(masked.text.find("two")) == original.find("two"));
  CHECK(masked.original_offset(masked.text.find("***\n")) == original.find("hunter2"));
  CHECK(masked.original_offset(masked.text.find("three")) == original.find("three"));
  CHECK(masked.original_offset(masked.text.size()) == original.size());
}

TEST_CASE("a short secret is masked only where it stands alone") {
  const Secrets secrets = of(R"({"key": "abc"})");
  CHECK(secrets.mask("abcdef abc") == "abcdef abc");
  CHECK(secrets.mask_variable("SM_HP_KEY", "abc") == "***");
  CHECK(secrets.mask_arguments({"--key", "abc", "--name", "abc"}) ==
        std::vector<std::string>{"--key", "***", "--name", "abc"});
  CHECK(secrets.mask_arguments({"--db", "user=abc,key=abc"}) ==
        std::vector<std::string>{"--db", "user=abc,key=***"});
}

TEST_CASE("in an argument that is JSON or Python's text a short secret stands alone, too") {
  const Secrets none;
  CHECK(none.mask_arguments({"--db", R"({"user": "abc", "passwd": "abc"})"}) ==
        std::vector<std::string>{"--db", R"({"user": "abc", "passwd": "***"})"});
  CHECK(none.mask_arguments({"-l", "[{'token': 'abc'}, 'abc']"}) ==
        std::vector<std::string>{"-l", "[{'token': '***'}, 'abc']"});
  CHECK(none.mask_arguments({R"(--db={"passwd": "abc"})"}) ==
        std::vector<std::string>{R"(--db={"passwd": "***"})"});
  CHECK(none.mask_arguments({"--db", "a=[1, {'key': 'abc', 'n': 'a,key=1'}],key=abc,z={}"}) ==
        std::vector<std::string>{"--db", "a=[1, {'key': '***', 'n': 'a,key=1'}],key=***,z={}"});
  CHECK(none.mask_arguments({"--db", "a=[broken,key=abc"}) ==
        std::vector<std::string>{"--db", "a=[broken,key=***"});
}

TEST_CASE("inside JSON a short secret stands alone as a member or as an option's value") {
  const Secrets secrets = of(R"({"key": "abc", "password": 12})");
  CHECK(secrets.mask_variable("SM_HPS", R"({"a":{"key":"abc"},"name":"abc","password":12})") ==
        R"({"a":{"key":"***"},"name":"abc","password":"***"})");
  CHECK(secrets.mask_variable("SM_HPS", R"({"key": "abc", "name": [1, 2]})") ==
        R"({"key": "***", "name": [1, 2]})");
  CHECK(secrets.mask_variable("SM_USER_ARGS", R"(["--key","abc","--name","abc"])") ==
        R"(["--key","***","--name","abc"])");
  CHECK(secrets.mask_variable("LIST", R"({"tokens": 1,  "secrets": ["abc", true]})") ==
        R"({"tokens": 1, "secrets": ["***", true]})");
  CHECK(secrets.mask_variable("NONE", R"({ "name":"abc" })") == R"({ "name":"abc" })");
  CHECK(secrets.mask_variable("BROKEN", R"({"key":"abc")") == R"({"key":"abc")");
}

TEST_CASE("masking leaves names and origins alone") {
  Environment environment;
  environment.set("API_KEY", "hunter2", "inherited");
  environment.set("PATH", "/bin", "inherited");
  const Environment masked = mask_environment(environment, Secrets::collect(environment, {}));
  CHECK(masked.to_strings() == std::vector<std::string>{"API_KEY=***", "PATH=/bin"});
  CHECK(masked.variables().find("API_KEY")->second.origin == "inherited");
}
