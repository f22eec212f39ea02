#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "coordination/message.h"

/// One message of each kind and its bytes, put together by hand from the rules in message.h. They
/// may change only with the version of the protocol, those of the handshake never.
namespace trainit::coordination::testing {

inline constexpr char kHexChallenge[] =
    "00 00 00 19 01 00 00 00 01 00 00 00 10 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D "
    "0E 0F";
inline constexpr char kHexAnswer[] =
    "00 00 00 2C 02 00 00 00 01 00 00 00 06 61 6C 67 6F 2D 32 00 00 00 10 10 11 12 13 "
    "14 15 16 17 18 19 1A 1B 1C 1D 1E 1F 00 00 00 05 70 72 6F 6F 66";
inline constexpr char kHexWelcome[] = "00 00 00 0A 03 00 00 00 05 70 72 6F 6F 66";
inline constexpr char kHexRefusal[] = "00 00 00 08 04 00 00 00 02 6E 6F 01";
inline constexpr char kHexHeartbeat[] =
    "00 00 00 19 05 00 00 00 00 00 0F 42 40 FF FF FF FF FF FF FF FE 00 00 00 01 02 03 "
    "04 05";
inline constexpr char kHexReport[] =
    "00 00 00 2A 06 00 00 00 08 00 00 00 02 00 00 00 07 70 72 6F 67 72 61 6D 00 00 "
    "00 04 61 2E 70 79 01 00 00 00 02 6C 72 00 00 00 02 39 66 00";
inline constexpr char kHexStopBegan[] =
    "00 00 00 16 07 02 00 00 00 00 00 00 00 0C 72 61 6E 6B 20 35 20 65 6E 64 65 64";
inline constexpr char kHexEnded[] =
    "00 00 01 96 08 00 00 00 08 00 04 00 00 00 0F 01 00 00 00 00 00 00 00 09 00 01 00 "
    "00 00 00 00 00 00 02 00 00 00 00 00 0F 42 40 00 00 00 00 00 2D C6 C0 00 00 00 00 "
    "00 1E 84 80 01 00 00 00 06 6E 6F 20 47 50 55 00 00 00 7D 00 00 00 02 00 00 00 05 00 "
    "00 00 01 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 1E 84 80 01 00 00 00 "
    "01 00 00 00 00 00 00 00 00 00 04 00 00 00 00 00 00 02 00 00 00 00 00 00 00 03 01 "
    "00 00 00 03 00 00 00 0C 30 30 30 30 3A 33 62 3A 30 30 2E 30 00 00 00 4F 00 00 00 "
    "00 00 16 E3 60 01 00 00 00 0E 56 61 6C 75 65 45 72 72 6F 72 3A 20 C3 A9 00 00 00 "
    "0B 74 72 61 69 6E 2E 70 79 3A 34 32 00 00 00 14 46 69 6C 65 20 22 74 2E 70 79 22 "
    "2C 20 6C 69 6E 65 20 34 32 00 00 00 18 54 72 61 63 65 62 61 63 6B 0A 56 61 6C 75 "
    "65 45 72 72 6F 72 3A 20 C3 A9 00 04 00 00 00 03 62 79 65 00 00 00 00 02 DC 6C 01 00 00 "
    "00 00 00 13 12 D0 00 00 00 00 00 2D C6 C0 FF FF FF FF 00 00 00 00 00 00 00 0B 01 01 08 00 00 "
    "00 0D 00 00 00 0C 63 61 6E 6E 6F 74 20 72 75 6E 20 78 01 00 00 00 00 00 00 00 00 "
    "00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 00 "
    "00 00 08 6D 6F 64 65 6C 2E 70 74 00 00 00 03 61 2F 62 00 00 00 03 62 20 31";
inline constexpr char kHexEndedWell[] =
    "00 00 00 3A 08 00 00 00 01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
    "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 "
    "00 00 00 00 00 00 00 00";
inline constexpr char kHexHeard[] = "00 00 00 01 09";
inline constexpr char kHexWaiting[] =
    "00 00 00 19 0A 00 00 00 14 31 20 6F 66 20 32 20 68 6F 73 74 73 3A 20 61 6C 67 6F "
    "2D 32";
inline constexpr char kHexAgreed[] =
    "00 00 00 46 0B 00 00 00 01 00 00 00 02 00 00 00 03 00 00 00 10 00 00 00 18 00 00 "
    "00 06 61 6C 67 6F 2D 31 00 00 73 3C 00 00 00 07 66 64 30 30 3A 3A 31 00 00 73 3D "
    "00 00 00 00 00 00 00 00 00 00 00 03 6A 6F 62 00 00 00 04 01";
inline constexpr char kHexStop[] =
    "00 00 00 14 0C 01 00 00 00 06 61 6C 67 6F 2D 33 00 00 00 0F 00 00 00 00";
inline constexpr char kHexOutcome[] =
    "00 00 00 31 0D 00 00 00 89 00 00 00 12 61 6C 67 6F 2D 32 20 72 61 6E 6B 20 35 3A "
    "20 62 6F 6F 00 00 00 02 00 00 00 01 61 00 00 00 01 62 00 00 00 05 00 00 00 01";
inline constexpr char kHexLeave[] = "00 00 00 01 0E";
inline constexpr char kHexAgain[] =
    "00 00 00 3D 0F 00 00 00 02 00 00 00 00 00 16 E3 60 00 00 00 89 00 00 00 12 61 6C "
    "67 6F 2D 32 20 72 61 6E 6B 20 35 3A 20 62 6F 6F 00 00 00 02 00 00 00 01 61 00 00 "
    "00 01 62 00 00 00 05 00 00 00 01";
inline constexpr char kHexReady[] = "00 00 00 05 10 00 00 00 03";
inline constexpr char kHexJoined[] = "00 00 00 09 11 00 00 00 02 00 00 12 34";
inline constexpr char kHexCame[] = "00 00 00 09 12 00 00 00 01 00 00 00 09";
inline constexpr char kHexLate[] = "00 00 00 0D 13 00 00 00 01 00 00 00 00 03 93 87 00";

inline std::string bytes_of(std::string_view hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 2 <= hex.size(); at += 3) {
    unsigned char byte = 0;
    std::from_chars(hex.data() + at, hex.data() + at + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

/// `count` bytes that rise from `first` on.
inline std::string rising(unsigned char first, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(first + i);
  return bytes;
}

inline sys::TimePoint at_us(std::int64_t microseconds) {
  return sys::TimePoint(std::chrono::microseconds(microseconds));
}

inline diagnose::Evidence raised() {
  diagnose::Evidence evidence;
  evidence.rank = 5;
  evidence.status = sys::ExitStatus::exited(1);
  evidence.killed_by_us = true;
  evidence.told_at = at_us(2'000'000);
  evidence.oom = true;
  evidence.memory_limit = std::uint64_t{1} << 40;
  evidence.shared_memory = 64 << 20;
  evidence.gpus = {0, 3};
  evidence.gpu_fault = hardware::GpuFault{3, "0000:3b:00.0", 79, at_us(1'500'000)};
  evidence.error.emplace();
  evidence.error->summary = "ValueError: é";
  evidence.error->location = "train.py:42";
  evidence.error->frame = "File \"t.py\", line 42";
  evidence.error->detail = "Traceback\nValueError: é";
  evidence.error->communication = false;
  evidence.error->last_line = "bye";
  evidence.after = std::chrono::microseconds(48'000'001);
  evidence.first_error_at = at_us(1'250'000);
  evidence.exited_at = at_us(3'000'000);
  return evidence;
}

inline diagnose::Evidence not_started() {
  diagnose::Evidence evidence;
  evidence.rank = -1;
  evidence.status = sys::ExitStatus::killed(11, true);
  evidence.spawn_error = sys::SpawnError{sys::SpawnStage::kExec, 13};
  evidence.spawn_text = "cannot run x";
  evidence.stopped_by_us = true;
  evidence.oom_ruled_out = true;
  return evidence;
}

inline message::Ended failed_end() {
  message::Ended ended;
  ended.end.workers = 8;
  ended.end.reason = StopReason::kHostLost;
  ended.end.stop_signal = 15;
  ended.end.store = sys::ExitStatus::killed(9);
  ended.end.oom_kills = 2;
  ended.end.started_at = at_us(1'000'000);
  ended.end.ended_at = at_us(3'000'000);
  ended.end.stop_at = at_us(2'000'000);
  ended.end.stuck = true;
  ended.end.trouble = "no GPU";
  ended.end.trouble_code = 125;
  ended.end.evidence = {raised(), not_started()};
  ended.model = {"model.pt", "a/b"};
  ended.model_place = "b 1";
  return ended;
}

inline message::Ended good_end() {
  message::Ended ended;
  ended.end.success = true;
  return ended;
}

inline environment::Agreement agreement() {
  environment::Agreement agreement;
  agreement.round = 1;
  agreement.host_rank = 2;
  agreement.host_count = 3;
  agreement.first_rank = 16;
  agreement.world_size = 24;
  agreement.store = {"algo-1", 29500};
  agreement.jax = {"fd00::1", 29501};
  agreement.run_id = "job";
  agreement.max_restarts = 4;
  agreement.launcher_serves_store = true;
  return agreement;
}

inline diagnose::Verdict verdict() {
  diagnose::Verdict verdict;
  verdict.exit_code = 137;
  verdict.failure = "algo-2 rank 5: boo";
  verdict.lines = {"a", "b"};
  verdict.cause_rank = 5;
  verdict.cause_host = 1;
  return verdict;
}

struct Golden {
  Message message;
  std::string bytes;
};

inline std::vector<Golden> golden() {
  using namespace message;
  return {
      {Challenge{1, rising(0, 16)}, bytes_of(kHexChallenge)},
      {Answer{1, "algo-2", rising(16, 16), "proof"}, bytes_of(kHexAnswer)},
      {Welcome{"proof"}, bytes_of(kHexWelcome)},
      {Refusal{"no", true}, bytes_of(kHexRefusal)},
      {Heartbeat{1'000'000, -2, 0x0102030405}, bytes_of(kHexHeartbeat)},
      {Report{8, {{"program", "a.py", true}, {"lr", "9f", false}}}, bytes_of(kHexReport)},
      {StopBegan{StopReason::kWorkerFailed, 0, "rank 5 ended"}, bytes_of(kHexStopBegan)},
      {failed_end(), bytes_of(kHexEnded)},
      {good_end(), bytes_of(kHexEndedWell)},
      {Heard{}, bytes_of(kHexHeard)},
      {Waiting{"1 of 2 hosts: algo-2"}, bytes_of(kHexWaiting)},
      {Agreed{agreement()}, bytes_of(kHexAgreed)},
      {Stop{StopReason::kPlatform, "algo-3", 15, ""}, bytes_of(kHexStop)},
      {Outcome{verdict()}, bytes_of(kHexOutcome)},
      {Leave{}, bytes_of(kHexLeave)},
      {Again{2, std::chrono::milliseconds(1500), verdict()}, bytes_of(kHexAgain)},
      {Ready{3}, bytes_of(kHexReady)},
      {Joined{2, 4660}, bytes_of(kHexJoined)},
      {Came{1, 9}, bytes_of(kHexCame)},
      {Late{1, std::chrono::seconds(60)}, bytes_of(kHexLate)},
  };
}

}  // namespace trainit::coordination::testing
