#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordination/message.h"

/// How two launchers prove to each other that they belong to the same job: both know its key, and
/// none tells it. Pure.
namespace trainit::coordination {

/// What all hosts of the job know. HMAC-SHA-256 is made with it.
struct JobKey {
  std::string bytes;
  bool secret = false;  ///< configured; else it is derived from what anybody may know

  /// The configured secret, which is `secret` without the white space at its ends; else derived
  /// from what all hosts share: it keeps strays and stale attempts out, but no attacker. Error:
  /// a secret of less than 16 bytes.
  static Result<JobKey> of(std::optional<std::string_view> secret, std::string_view job_name,
                           std::string_view job_arn, const std::vector<std::string>& hosts);
};

/// 16 bytes from the kernel.
std::string random_nonce();

/// The hub's side of one connection: send the challenge, give it the answer.
class HubHandshake {
 public:
  HubHandshake(const JobKey& key, std::string nonce) : key_(key), nonce_(std::move(nonce)) {}
  message::Challenge challenge() const { return {kProtocolVersion, nonce_}; }
  /// Welcome when it is of this job; else why not. `knows`: whether a host is one of the job's.
  std::variant<message::Welcome, message::Refusal> judge(
      const message::Answer& answer, const std::function<bool(std::string_view)>& knows) const;

 private:
  const JobKey& key_;
  std::string nonce_;
};

/// The member's side.
class MemberHandshake {
 public:
  MemberHandshake(const JobKey& key, std::string host, std::string nonce)
      : key_(key), host_(std::move(host)), nonce_(std::move(nonce)) {}
  /// Error: the hub speaks another version, a sentence with both.
  Result<message::Answer> answer(const message::Challenge& challenge);
  /// Whether the hub knows the key too.
  bool accepts(const message::Welcome& welcome) const;

 private:
  const JobKey& key_;
  std::string host_, nonce_, hub_nonce_;
};

}  // namespace trainit::coordination
