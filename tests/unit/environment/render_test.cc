#include "environment/render.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::environment;

namespace {

Environment one(std::string name, std::string value) {
  Environment environment;
  environment.set(std::move(name), std::move(value), "hyperparameters.json");
  return environment;
}

std::string shell(std::string name, std::string value, bool explain = false) {
  return render_environment(one(std::move(name), std::move(value)), {}, RenderFormat::kShell,
                            explain);
}

std::string dotenv(std::string name, std::string value) {
  return render_environment(one(std::move(name), std::move(value)), {}, RenderFormat::kDotenv,
                            false);
}

}  // namespace

TEST_CASE("JSON has the variables in order of name, and the arguments") {
  Environment environment = one("SM_HP_NAME", "resnet \"50\"");
  environment.set("A", "é", "inherited");
  CHECK(render_environment(environment, {"--name", ""}, RenderFormat::kJson, false) ==
        "{\n  \"environment\": {\n    \"A\": \"\\u00e9\",\n    \"SM_HP_NAME\": \"resnet "
        "\\\"50\\\"\"\n"
        "  },\n  \"arguments\": [\n    \"--name\",\n    \"\"\n  ]\n}\n");
  CHECK(render_environment({}, {}, RenderFormat::kJson, false) ==
        "{\n  \"environment\": {},\n  \"arguments\": []\n}\n");
}

TEST_CASE("JSON can say where each value comes from") {
  CHECK(render_environment(one("A", "1"), {}, RenderFormat::kJson, true) ==
        "{\n  \"environment\": {\n    \"A\": {\"value\": \"1\", \"origin\": "
        "\"hyperparameters.json\"}\n"
        "  },\n  \"arguments\": []\n}\n");
}

TEST_CASE("a byte that is no UTF-8 is in JSON what Python makes of it") {
  CHECK(render_environment({}, {"\x80"}, RenderFormat::kJson, false) ==
        "{\n  \"environment\": {},\n  \"arguments\": [\n    \"\\udc80\"\n  ]\n}\n");
}

TEST_CASE("a shell's line holds any value, in single quotes") {
  CHECK(shell("A", "") == "export A=''\n");
  CHECK(shell("A", "it's $(id) `id` \\ \"x\"\nline") ==
        "export A='it'\\''s $(id) `id` \\ \"x\"\nline'\n");
}

TEST_CASE("a name that no shell can have is a comment, which even a hostile name cannot leave") {
  CHECK(shell("SM_HP_BATCH-SIZE", "64") ==
        "# left out: no shell can have a variable named \"SM_HP_BATCH-SIZE\"\n");
  CHECK(shell("A\nrm -rf /", "64") ==
        "# left out: no shell can have a variable named \"A\\nrm -rf /\"\n");
}

TEST_CASE("what bash lets nobody set is a comment") {
  for (const char* name : {"BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"}) {
    CHECK(shell(name, "1") == "# left out: bash sets " + std::string(name) + " itself\n");
    CHECK(dotenv(name, "1") == std::string(name) + "=1\n");
  }
  CHECK(shell("GUID", "1") == "export GUID='1'\n");
}

TEST_CASE("a shell's lines can say where each value comes from") {
  CHECK(shell("A", "1", true) == "# \"A\": \"hyperparameters.json\"\nexport A='1'\n");
}

TEST_CASE("a dotenv value stands bare where all readers agree") {
  for (const char* value :
       {"", "1", "a b", "{\"a\":1}", "a#b", "#a", "$x", "a\\b", "a'b", "é", "a=b", "${A}", "x\\"}) {
    CAPTURE(value);
    CHECK(dotenv("SM_HP_A-B.C", value) == "SM_HP_A-B.C=" + std::string(value) + "\n");
  }
}

TEST_CASE("a dotenv value is quoted where a reader would change it") {
  for (const char* value : {" a", "a ", "a #b", "\"a\"", "a\nb", "\xC2\xA0x", "x\xE3\x80\x80"}) {
    CAPTURE(value);
    CHECK(dotenv("A", value) == "A='" + std::string(value) + "'\n");
  }
  CHECK(dotenv("A", "'a\\ b'\n") == "A='\\'a\\\\ b\\'\n'\n");
}

TEST_CASE("what no such file can hold is left out of it with a comment") {
  CHECK(dotenv("A B", "1") == "# left out: \"A B\" cannot stand in such a file\n");
  CHECK(dotenv("SM_HP_GRÖSSE", "1") ==
        "# left out: \"SM_HP_GR\\u00d6SSE\" cannot stand in such a file\n");
  CHECK(dotenv("A", "\xff") == "# left out: \"A\" cannot stand in such a file\n");
  CHECK(dotenv("A", "a\r\nb") == "# left out: \"A\" cannot stand in such a file\n");
  CHECK(dotenv("A", " x\\") == "# left out: \"A\" ends with a backslash and would need quotes\n");
}
