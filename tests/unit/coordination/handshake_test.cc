#include "coordination/handshake.h"

#include <doctest/doctest.h>

#include <set>

#include "coordination/mac.h"
#include "golden.h"

using namespace trainit;
using namespace trainit::coordination;
using testing::rising;

namespace {

const std::string kHubNonce = rising(0, 16), kMemberNonce = rising(16, 16);
constexpr char kSecret[] = "0123456789abcdef";

JobKey key_of(std::optional<std::string_view> secret = std::nullopt, std::string_view name = "job",
              std::string_view arn = "arn:1",
              const std::vector<std::string>& hosts = {"algo-1", "algo-2"}) {
  const auto key = JobKey::of(secret, name, arn, hosts);
  REQUIRE(key);
  return *key;
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(byte) >> 4];
    hex += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return hex;
}

bool knows(std::string_view host) { return host == "algo-1" || host == "algo-2"; }

using Judgement = std::variant<message::Welcome, message::Refusal>;

bool is_welcome(const Judgement& judgement) {
  return std::holds_alternative<message::Welcome>(judgement);
}
message::Refusal refusal_in(const Judgement& judgement) {
  REQUIRE(std::holds_alternative<message::Refusal>(judgement));
  return std::get<message::Refusal>(judgement);
}

/// What the hub says to a member that knows a key, perhaps another one.
Judgement meet(const JobKey& hub_key, const JobKey& member_key,
               const std::string& host = "algo-2") {
  const HubHandshake hub(hub_key, kHubNonce);
  MemberHandshake member(member_key, host, kMemberNonce);
  return hub.judge(member.answer(hub.challenge()).value(), knows);
}

}  // namespace

TEST_CASE("a derived key and the proofs are as the first version has them, for ever") {
  const JobKey key = key_of();
  CHECK_FALSE(key.secret);
  CHECK(hex_of(key.bytes) == "5a6427304fd02f91a81cea1ffb92458e3b3d556333d98b04443f5c42528ac627");
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  const message::Answer answer = member.answer(hub.challenge()).value();
  CHECK(answer.version == kProtocolVersion);
  CHECK(answer.host == "algo-2");
  CHECK(answer.nonce == kMemberNonce);
  CHECK(hex_of(answer.proof) == "94b4f68698b8399988a70a1f6f62d3360d3607af1011e993f2190343605c29ba");
  const auto welcome = std::get<message::Welcome>(hub.judge(answer, knows));
  CHECK(hex_of(welcome.proof) ==
        "9ebdaf7e7752d5d5916ff22318dc7c5a3b3de8f73f73e9a901edd480186ceac9");
  CHECK(member.accepts(welcome));
}

TEST_CASE("a key with a secret depends on it and on the job") {
  const JobKey key = key_of(kSecret);
  CHECK(key.secret);
  CHECK(hex_of(key.bytes) == "6270495de0e6f0160d3419fe728df82ee915e1c57373f4796d9ebbbbc54193ee");
  CHECK(key_of(" 0123456789abcdef\r\n").bytes == key.bytes);
  CHECK(key_of("0123456789abcdeF").bytes != key.bytes);
  CHECK(key_of(kSecret, "other").bytes != key.bytes);
  CHECK(is_welcome(meet(key, key_of(kSecret))));
}

TEST_CASE("a secret that is too short is an error") {
  for (const std::string_view secret : {"", "0123456789abcde", " 0123456789abcde \n"}) {
    const auto key = JobKey::of(secret, "job", "", {"algo-1"});
    REQUIRE_FALSE(key);
    CHECK(key.error().message.find("needs 16 at least") != std::string::npos);
    CHECK(key.error().message.starts_with("the job's key has "));
  }
  CHECK(JobKey::of("0123456789abcde", "job", "", {}).error().message.find("has 15 bytes") !=
        std::string::npos);
}

TEST_CASE("a derived key depends on all that the hosts share, and not on their order") {
  std::set<std::string> keys;
  for (const JobKey& key :
       {key_of(), key_of(std::nullopt, "job2"), key_of(std::nullopt, "job", "arn:2"),
        key_of(std::nullopt, "job", "arn:1", {"algo-1"}),
        key_of(std::nullopt, "job", "arn:1", {"algo-1", "algo-3"}),
        key_of(std::nullopt, "job", "arn:1", {"algo-1algo-2"}),
        key_of(std::nullopt, "joba", "rn:1"), key_of(std::nullopt, "", "jobarn:1"),
        key_of(kSecret)})
    keys.insert(key.bytes);
  CHECK(keys.size() == 9);
  CHECK(key_of(std::nullopt, "job", "arn:1", {"algo-2", "algo-1"}).bytes == key_of().bytes);
}

TEST_CASE("who does not know the key is refused, but may try again") {
  const message::Refusal derived = refusal_in(meet(key_of(), key_of(std::nullopt, "other")));
  CHECK(derived.why.starts_with("algo-2 does not know this job's key, which is made of"));
  CHECK(derived.why.find("TRAINIT_JOB_KEY") != std::string::npos);
  CHECK_FALSE(derived.final);
  CHECK(refusal_in(meet(key_of(), key_of(kSecret))) == derived);

  const message::Refusal secret = refusal_in(meet(key_of(kSecret), key_of()));
  CHECK(secret.why.starts_with(
      "algo-2 does not know this job's key: give all hosts the same TRAINIT_JOB_KEY, or it sees "
      "another job name or other hosts"));
  CHECK_FALSE(secret.final);
  CHECK(refusal_in(meet(key_of(kSecret), key_of("0123456789abcdeF"))) == secret);
}

TEST_CASE("a hub that does not know the key is not accepted") {
  const JobKey key = key_of(), other = key_of(std::nullopt, "other");
  MemberHandshake member(key, "algo-2", kMemberNonce);
  const HubHandshake stranger(other, kHubNonce);
  const message::Answer answer = member.answer(stranger.challenge()).value();
  MemberHandshake same_place(other, "algo-2", kMemberNonce);
  const auto welcome = std::get<message::Welcome>(
      stranger.judge(same_place.answer(stranger.challenge()).value(), knows));
  CHECK_FALSE(member.accepts(welcome));
  CHECK_FALSE(member.accepts({""}));
  CHECK_FALSE(member.accepts({answer.proof.substr(0, 31)}));
}

TEST_CASE("a proof that is cut or changed in any bit is refused") {
  const JobKey key = key_of();
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  message::Answer answer = member.answer(hub.challenge()).value();
  const std::string proof = answer.proof;
  for (std::size_t size = 0; size < proof.size(); ++size) {
    answer.proof = proof.substr(0, size);
    CHECK_FALSE(is_welcome(hub.judge(answer, knows)));
  }
  answer.proof = proof + '\0';
  CHECK_FALSE(is_welcome(hub.judge(answer, knows)));
  const message::Welcome welcome =
      std::get<message::Welcome>(hub.judge(member.answer(hub.challenge()).value(), knows));
  for (std::size_t bit = 0; bit < 8 * proof.size(); ++bit) {
    answer.proof = proof;
    answer.proof[bit / 8] = static_cast<char>(answer.proof[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(is_welcome(hub.judge(answer, knows)));
    message::Welcome changed = welcome;
    changed.proof[bit / 8] = static_cast<char>(changed.proof[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(member.accepts(changed));
  }
}

TEST_CASE("a proof sent back to where it came from is none") {
  const JobKey key = key_of();
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  const message::Answer answer = member.answer(hub.challenge()).value();
  CHECK_FALSE(member.accepts({answer.proof}));
  const auto welcome = std::get<message::Welcome>(hub.judge(answer, knows));
  CHECK_FALSE(is_welcome(hub.judge({1, "algo-2", kMemberNonce, welcome.proof}, knows)));
  // Nor is one of a member whose nonce is the hub's and who was asked with the member's.
  MemberHandshake mirror(key, "algo-2", kHubNonce);
  const message::Answer mirrored = mirror.answer({1, kMemberNonce}).value();
  CHECK_FALSE(is_welcome(hub.judge({1, "algo-2", kMemberNonce, mirrored.proof}, knows)));
  CHECK_FALSE(member.accepts({mirrored.proof}));
}

TEST_CASE("an answer that was heard is of no use to another host or on another connection") {
  const JobKey key = key_of();
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  const message::Answer heard = member.answer(hub.challenge()).value();
  const auto welcome = std::get<message::Welcome>(hub.judge(heard, knows));

  message::Answer other_host = heard;
  other_host.host = "algo-1";
  CHECK_FALSE(is_welcome(hub.judge(other_host, knows)));
  message::Answer other_nonce = heard;
  other_nonce.nonce = rising(17, 16);
  CHECK_FALSE(is_welcome(hub.judge(other_nonce, knows)));
  const HubHandshake next(key, rising(1, 16));
  CHECK_FALSE(is_welcome(next.judge(heard, knows)));

  MemberHandshake later(key, "algo-2", rising(17, 16));
  REQUIRE(later.answer(hub.challenge()));
  CHECK_FALSE(later.accepts(welcome));
  MemberHandshake elsewhere(key, "algo-2", kMemberNonce);
  REQUIRE(elsewhere.answer(next.challenge()));
  CHECK_FALSE(elsewhere.accepts(welcome));
  MemberHandshake somebody(key, "algo-1", kMemberNonce);
  REQUIRE(somebody.answer(hub.challenge()));
  CHECK_FALSE(somebody.accepts(welcome));
}

TEST_CASE("bytes that move between the nonce and the name make another proof") {
  const JobKey key = key_of();
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  message::Answer answer = member.answer(hub.challenge()).value();
  answer.nonce += "algo-2";
  answer.host = "";
  CHECK_FALSE(is_welcome(hub.judge(answer, [](std::string_view) { return true; })));
}

TEST_CASE("nonces of another length are refused") {
  const JobKey key = key_of();
  const HubHandshake hub(key, kHubNonce);
  for (const int size : {0, 15, 17}) {
    MemberHandshake member(key, "algo-2", rising(16, size));
    CHECK_FALSE(is_welcome(hub.judge(member.answer(hub.challenge()).value(), knows)));
    const auto answer = member.answer({1, rising(0, size)});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().message ==
          "it sent a nonce of " + std::to_string(size) + " bytes, not 16");
  }
}

TEST_CASE("without a nonce there is no welcome") {
  const JobKey key = key_of();
  // What the hub would take for the proof of somebody whose nonce is empty, or who was asked with
  // an empty one: made by the rules in handshake.h.
  const HubHandshake hub(key, ""), other(key, kHubNonce);
  const auto proof = [&](const std::string& hub_nonce, const std::string& nonce) {
    return hmac_sha256(key.bytes, joined_fields({"trainit member 1", hub_nonce, nonce, "algo-2"}));
  };
  CHECK(
      is_welcome(other.judge({1, "algo-2", kMemberNonce, proof(kHubNonce, kMemberNonce)}, knows)));
  CHECK_FALSE(is_welcome(hub.judge({1, "algo-2", kMemberNonce, proof("", kMemberNonce)}, knows)));
  CHECK_FALSE(is_welcome(other.judge({1, "algo-2", "", proof(kHubNonce, "")}, knows)));
}

TEST_CASE("no hub is accepted before its challenge") {
  const JobKey key = key_of();
  const MemberHandshake silent(key, "algo-2", kMemberNonce);
  CHECK_FALSE(silent.accepts(
      {hmac_sha256(key.bytes, joined_fields({"trainit hub 1", "", kMemberNonce, "algo-2"}))}));
}

TEST_CASE("another version is told to who knows the key, and only then, for good") {
  const JobKey key = key_of(), other = key_of(std::nullopt, "other");
  const HubHandshake hub(key, kHubNonce);
  MemberHandshake member(key, "algo-2", kMemberNonce);
  message::Answer answer = member.answer({7, kHubNonce}).value();
  CHECK(answer.version == kProtocolVersion);
  answer.version = 2;
  CHECK(refusal_in(hub.judge(answer, knows)) ==
        message::Refusal{"this job's leader runs trainit with protocol 1, algo-2 speaks 2: use the "
                         "same trainit on all hosts",
                         true});
  const HubHandshake strange(other, kHubNonce);
  CHECK_FALSE(refusal_in(strange.judge(answer, knows)).final);
}

TEST_CASE("a host that is none of the job's is refused for good, when it knows the key") {
  CHECK(refusal_in(meet(key_of(), key_of(), "algo-9")) ==
        message::Refusal{"algo-9 is not the name of one of this job's hosts", true});
  const message::Refusal stranger = refusal_in(meet(key_of(), key_of(kSecret), "algo-9"));
  CHECK(stranger.why.starts_with("algo-9 does not know this job's key"));
  CHECK_FALSE(stranger.final);
}

TEST_CASE("a refusal fits on a line whatever the host's name") {
  for (const std::string& host :
       {std::string(3000, 'x'), std::string("a\n\x1b[2J\xff"), std::string()}) {
    for (const JobKey& key : {key_of(), key_of(kSecret), key_of(std::nullopt, "other")}) {
      const message::Refusal refusal = refusal_in(meet(key_of(), key, host));
      CHECK(refusal.why.size() < 500);
      CHECK(refusal.why.find_first_of("\n\x1b\xff") == std::string::npos);
    }
  }
  CHECK(refusal_in(meet(key_of(), key_of(), "")).why.starts_with("a host without a name is not"));
}

TEST_CASE("nonces from the kernel are 16 bytes, and another one each time") {
  std::set<std::string> nonces;
  for (int i = 0; i < 100; ++i) {
    const auto nonce = random_nonce();
    CHECK(nonce.size() == 16);
    nonces.insert(nonce);
  }
  CHECK(nonces.size() == 100);
}
