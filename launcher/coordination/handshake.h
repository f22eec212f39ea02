#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "coordination/message.h"

/// How two launchers prove to each other that they belong to the same job: both know its key, and
/// none tells it. Pure, but for the nonce.
///
/// Each proof is an HMAC-SHA-256 over whose it is, both nonces and the host's name: one that was
/// heard is of no use on another connection, to another host, or sent back to where it came from.
/// What is said after the handshake is not protected by it: who can change what is under way
/// between two hosts can speak for them.
///
/// All of this, and the four messages of it, stays as it is in every version of the protocol, so
/// that hosts of two versions can tell each other.
namespace trainit::coordination {

/// What all hosts of the job know.
struct JobKey {
  std::string bytes;
  bool secret = false;  ///< made with a configured secret; else of what anybody may know

  /// Made of what all hosts share, the hosts in any order, and of the configured secret, which is
  /// `secret` without the white space at its ends. Without a secret it keeps strays and other jobs
  /// out, but no attacker; with one it does both, also when many jobs have the same secret. Error:
  /// a secret of less than 16 bytes.
  static Result<JobKey> of(std::optional<std::string_view> secret, std::string_view job_name,
                           std::string_view job_arn, const std::vector<std::string>& hosts);
};

inline constexpr std::size_t kNonceSize = 16;
/// 16 bytes from the kernel; empty when it gives none, and with that no handshake succeeds.
std::string random_nonce();

/// The hub's side of one connection: send the challenge, give it the answer. The key must outlive
/// it; a nonce is used once.
class HubHandshake {
 public:
  HubHandshake(const JobKey& key, std::string nonce) : key_(key), nonce_(std::move(nonce)) {}
  message::Challenge challenge() const { return {kProtocolVersion, nonce_}; }
  /// Welcome when it is of this job; else why not. `knows`: whether a host is one of the job's.
  ///
  /// Only who knows the key is told more than that it does not: that it speaks another version, or
  /// is none of the hosts; both final. Not to know the key is not final, because that may be the
  /// fault of who asks or of who is asked: at the address of the leader another job's may still be
  /// on its way out.
  std::variant<message::Welcome, message::Refusal> judge(
      const message::Answer& answer, const std::function<bool(std::string_view)>& knows) const;

 private:
  const JobKey& key_;
  std::string nonce_;
};

/// The member's side of one connection. The key must outlive it; a nonce is used once.
class MemberHandshake {
 public:
  MemberHandshake(const JobKey& key, std::string host, std::string nonce)
      : key_(key), host_(std::move(host)), nonce_(std::move(nonce)) {}
  /// Error: this is no challenge of trainit's: "it sent a nonce of 3 bytes, not 16". A hub of
  /// another version gets an answer too: it says so when it knows that we are of its job.
  Result<message::Answer> answer(const message::Challenge& challenge);
  /// Whether the hub knows the key too; never before `answer`.
  bool accepts(const message::Welcome& welcome) const;

 private:
  const JobKey& key_;
  std::string host_, nonce_, hub_nonce_;
};

}  // namespace trainit::coordination
