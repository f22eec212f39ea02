#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "diagnose/verdict.h"
#include "environment/rank_environment.h"
#include "trainit/result.h"

/// How the launchers of a job talk to each other: each host's, a member, with the leader host's,
/// the hub. This is the codec: pure, without sockets.
///
/// A frame is a length (4 bytes, of what follows), a kind (1 byte: its place in `Message`, from 1
/// on) and the fields of that kind in the order of its struct. Numbers are big-endian: of 4 bytes,
/// as their types are, or of 8. Texts have their length (4 bytes) before them, lists their count (4
/// bytes). A truth value is one byte, 0 or 1, and a choice is one; what may be missing has a truth
/// value before it. Points in time are microseconds of the sender's steady clock, and durations
/// microseconds (8 bytes). A reader takes nothing else, and no byte more.
namespace trainit::coordination {

/// Of the protocol; hosts of another one are told so in the handshake, which stays as it is.
inline constexpr int kProtocolVersion = 1;
/// No frame is longer, its length with it; whoever announces a longer one is no launcher.
inline constexpr std::size_t kMostFrame = 256 << 10;
/// Of one text in a message; what is longer is cut by who sends it.
inline constexpr std::size_t kMostText = 16 << 10;
/// Of the workers that a host tells of when they failed.
inline constexpr std::size_t kMostEvidence = 8;

using diagnose::StopReason;

namespace message {

// --- the handshake, before anything else -------------------------------------------------------
/// Hub → member, first.
struct Challenge {
  int version = kProtocolVersion;
  std::string nonce;  ///< 16 random bytes
  bool operator==(const Challenge&) const = default;
};
/// Member → hub.
struct Answer {
  int version = kProtocolVersion;
  std::string host;   ///< by its name in the job
  std::string nonce;  ///< 16 random bytes of its own
  std::string proof;  ///< see handshake.h
  bool operator==(const Answer&) const = default;
};
/// Hub → member: come in.
struct Welcome {
  std::string proof;
  bool operator==(const Welcome&) const = default;
};
/// Hub → member, then the connection is closed.
struct Refusal {
  std::string why;     ///< a sentence
  bool final = false;  ///< trying again is of no use
  bool operator==(const Refusal&) const = default;
};

// --- both ways, every second -------------------------------------------------------------------
/// A sign of life, and what the offset of the clocks is found from.
struct Heartbeat {
  std::int64_t clock = 0;  ///< when it was sent
  std::int64_t echo = 0;   ///< `clock` of the last one that came; 0: none has
  std::int64_t held = 0;   ///< microseconds since that came
  bool operator==(const Heartbeat&) const = default;
};

// --- member → hub --------------------------------------------------------------------------------
/// What must be the same on all hosts, or what about each is worth knowing.
struct Fact {
  std::string name;    ///< "trainit", "program", `hyperparameter "lr"`
  std::string value;   ///< itself, or a digest of it
  bool shown = false;  ///< the value may be shown
  bool operator==(const Fact&) const = default;
};
/// What a host brings, before ranks are given.
struct Report {
  int slots = 1;            ///< its workers
  std::vector<Fact> facts;  ///< that have to be the same on all hosts; by name
  bool operator==(const Report&) const = default;
};
/// Its workers are being stopped, and why: the others' are to stop too.
struct StopBegan {
  StopReason reason = StopReason::kWorkerFailed;
  int signal = 0;    ///< of kPlatform
  std::string text;  ///< "rank 5 (pid 32) ended with code 1 after 48 s"; empty with kPlatform
  bool operator==(const StopBegan&) const = default;
};
/// Its part is over: no process of it is left.
struct Ended {
  /// `host` and `host_rank`, and the `host` of its evidence, are not sent: the connection's.
  diagnose::HostEnd end;
  std::vector<std::string> model;  ///< files of its model directory, relative; not all of too many
  /// Which directory that is, alike on hosts that have one between them; empty: not known.
  std::string model_place = {};
};
/// The verdict is known here.
struct Heard {
  bool operator==(const Heard&) const = default;
};
/// Workers of this round can be started: nothing is left of the last one.
struct Ready {
  int round = 0;
  bool operator==(const Ready&) const = default;
};
/// This worker has come to the rendezvous store.
struct Came {
  int round = 0;
  int rank = 0;
  bool operator==(const Came&) const = default;
};

// --- hub → member --------------------------------------------------------------------------------
/// Not all are there yet.
struct Waiting {
  std::string text;  ///< "2 of 12 hosts: algo-7 (no address yet), algo-11 (not heard from)"
  bool operator==(const Waiting&) const = default;
};
/// All are there, and go together; begin.
struct Agreed {
  environment::Agreement agreement;
};
/// Stop the workers.
struct Stop {
  StopReason reason = StopReason::kWorkerFailed;
  std::string host;  ///< where it began, or that is lost
  int signal = 0;    ///< of kPlatform
  std::string text;  ///< what happened there
  bool operator==(const Stop&) const = default;
};
/// The workers failed, and the job begins once more: all parts of the last round are over.
struct Again {
  int round = 0;              ///< that is to begin
  sys::Duration delay{};      ///< not before
  diagnose::Verdict verdict;  ///< of the round that is over
  bool operator==(const Again&) const = default;
};
/// A process has come to the rendezvous store, from an address of this host: it may be a worker's.
struct Joined {
  int round = 0;
  int pid = 0;  ///< as that process calls itself
  bool operator==(const Joined&) const = default;
};
/// Not all workers of the job have come to the store: say which of this host's.
struct Late {
  int round = 0;
  sys::Duration after{};  ///< the time that they had
  bool operator==(const Late&) const = default;
};
/// How the job ended, when all is known of it.
struct Outcome {
  diagnose::Verdict verdict;
  bool operator==(const Outcome&) const = default;
};
/// Everybody knows the outcome, or is gone: go.
struct Leave {
  bool operator==(const Leave&) const = default;
};

}  // namespace message

using Message =
    std::variant<message::Challenge, message::Answer, message::Welcome, message::Refusal,
                 message::Heartbeat, message::Report, message::StopBegan, message::Ended,
                 message::Heard, message::Waiting, message::Agreed, message::Stop, message::Outcome,
                 message::Leave, message::Again, message::Ready, message::Joined, message::Came,
                 message::Late>;

/// The frame of a message, which a FrameReader lets in whatever the message holds: of texts and
/// lists that are over the limits (wire_limits.h) the beginning is kept, up to a whole character or
/// item, of the detail of an error text its end, and numbers that nobody can mean take the nearest
/// value. Where all of that is too much for a frame, details give way.
std::string encode(const Message& message);

/// Takes frames out of the bytes of a connection, which may be cut anywhere. However small the
/// pieces are, the time grows with the bytes alone; memory is bounded by the longest frame that is
/// let in, when `next` is called after each `feed` until there is nothing.
class FrameReader {
 public:
  /// `most`: the longest frame that is let in; before a peer has proved who it is, a short one.
  explicit FrameReader(std::size_t most = kMostFrame) : most_(most) {}
  void limit(std::size_t most) { most_ = most; }

  void feed(std::string_view bytes);
  /// The next message; nothing: more bytes are needed. Error: what comes is no frame of this
  /// protocol, and nothing after it can be read: "a frame of 70000 bytes, where 4096 are the most",
  /// to stand after "sent".
  Result<std::optional<Message>> next();

  /// Bytes of memory that it holds.
  std::size_t memory() const { return buffer_.capacity(); }

 private:
  void start_over();
  tl::unexpected<Error> give_up(std::string problem);

  std::size_t most_;
  std::string buffer_;
  std::size_t begin_ = 0;  ///< what is before it has been read
  std::optional<Error> broken_;
};

}  // namespace trainit::coordination
