#include "coordination/handshake.h"

#include <errno.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "coordination/mac.h"

namespace trainit::coordination {
namespace {

constexpr std::size_t kLeastSecret = 16;
constexpr std::string_view kKeyLabel = "trainit job 1";
constexpr std::string_view kMemberLabel = "trainit member 1", kHubLabel = "trainit hub 1";

std::string proof(const JobKey& key, std::string_view label, std::string_view hub_nonce,
                  std::string_view member_nonce, std::string_view host) {
  return hmac_sha256(key.bytes, joined_fields({label, hub_nonce, member_nonce, host}));
}

/// A stranger's name on a line of ours.
std::string name_of(std::string_view host) {
  constexpr std::size_t kMostName = 64;
  const std::string name = utf8::one_line(utf8::truncate(host, kMostName));
  return name.empty() ? "a host without a name" : name;
}

std::string wrong_key(const JobKey& key, std::string_view host) {
  if (key.secret)
    return fmt::format(
        "{} does not know this job's key: give all hosts the same TRAINIT_JOB_KEY, or it sees "
        "another job name or other hosts, or belongs to another job",
        name_of(host));
  return fmt::format(
      "{} does not know this job's key, which is made of the job's name and its hosts: it belongs "
      "to another job, sees other hosts, or has a TRAINIT_JOB_KEY, which all hosts need then",
      name_of(host));
}

message::Refusal refuse(std::string why, bool final) { return {std::move(why), final}; }

}  // namespace

Result<JobKey> JobKey::of(std::optional<std::string_view> secret, std::string_view job_name,
                          std::string_view job_arn, const std::vector<std::string>& hosts) {
  std::vector<std::string_view> shared(hosts.begin(), hosts.end());
  std::sort(shared.begin(), shared.end());
  shared.insert(shared.begin(), {kKeyLabel, job_name, job_arn});
  std::string derived = sha256(joined_fields(shared));
  if (!secret) return JobKey{std::move(derived), false};
  const std::string_view trimmed = trim(*secret);
  if (trimmed.size() < kLeastSecret) {
    return fail(
        fmt::format("the job's key has {} bytes, and needs {} at least: "
                    "`openssl rand -hex 32` makes a good one",
                    trimmed.size(), kLeastSecret));
  }
  return JobKey{hmac_sha256(trimmed, derived), true};
}

std::string random_nonce() {
  std::string nonce(kNonceSize, '\0');
  // So few bytes come whole, and no signal interrupts it once the kernel has gathered enough.
  ssize_t got = 0;
  do {
    got = ::getrandom(nonce.data(), nonce.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(nonce.size()) ? nonce : std::string();
}

std::variant<message::Welcome, message::Refusal> HubHandshake::judge(
    const message::Answer& answer, const std::function<bool(std::string_view)>& knows) const {
  const std::string expected = proof(key_, kMemberLabel, nonce_, answer.nonce, answer.host);
  if (nonce_.size() != kNonceSize || answer.nonce.size() != kNonceSize ||
      !equal_in_constant_time(answer.proof, expected))
    return refuse(wrong_key(key_, answer.host), false);
  if (answer.version != kProtocolVersion) {
    return refuse(fmt::format("this job's leader runs trainit with protocol {}, {} speaks {}: use "
                              "the same trainit on all hosts",
                              kProtocolVersion, name_of(answer.host), answer.version),
                  true);
  }
  if (!knows(answer.host)) {
    return refuse(
        fmt::format("{} is not the name of one of this job's hosts", name_of(answer.host)), true);
  }
  return message::Welcome{proof(key_, kHubLabel, nonce_, answer.nonce, answer.host)};
}

Result<message::Answer> MemberHandshake::answer(const message::Challenge& challenge) {
  if (challenge.nonce.size() != kNonceSize) {
    return fail(
        fmt::format("it sent a nonce of {} bytes, not {}", challenge.nonce.size(), kNonceSize));
  }
  hub_nonce_ = challenge.nonce;
  return message::Answer{kProtocolVersion, host_, nonce_,
                         proof(key_, kMemberLabel, hub_nonce_, nonce_, host_)};
}

bool MemberHandshake::accepts(const message::Welcome& welcome) const {
  return !hub_nonce_.empty() &&
         equal_in_constant_time(welcome.proof, proof(key_, kHubLabel, hub_nonce_, nonce_, host_));
}

}  // namespace trainit::coordination
