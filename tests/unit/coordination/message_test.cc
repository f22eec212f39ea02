#include "coordination/message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "coordination/wire_limits.h"
#include "golden.h"

using namespace trainit;
using namespace trainit::coordination;
using namespace trainit::coordination::testing;

namespace {

/// All that a reader makes of bytes that come in one piece: the messages, written again, and the
/// problem that it stopped at.
struct Heard {
  std::string messages, problem;
  bool operator==(const Heard&) const = default;
};

void take_all(FrameReader& reader, Heard& heard) {
  for (;;) {
    const auto next = reader.next();
    if (!next) {
      heard.problem = next.error().message;
      return;
    }
    if (!*next) return;
    heard.messages += encode(**next);
  }
}

Heard read(std::string_view bytes, std::size_t most = kMostFrame) {
  FrameReader reader(most);
  reader.feed(bytes);
  Heard heard;
  take_all(reader, heard);
  return heard;
}

template <class Kind>
Kind read_one(const std::string& bytes) {
  FrameReader reader;
  reader.feed(bytes);
  const auto next = reader.next();
  REQUIRE(next);
  REQUIRE(*next);
  REQUIRE(std::holds_alternative<Kind>(**next));
  return std::get<Kind>(**next);
}

template <class Kind>
Kind there_and_back(const Kind& message) {
  return read_one<Kind>(encode(message));
}

std::string frame_of(std::string_view body) {
  std::string frame;
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(body.size() >> shift);
  return frame.append(body);
}

std::string problem_of_body(std::string_view hex) { return read(frame_of(bytes_of(hex))).problem; }

/// A golden frame with one byte of its body changed.
std::string problem_with_byte(const char* hex, std::size_t at, unsigned char byte) {
  std::string bytes = bytes_of(hex);
  bytes[4 + at] = static_cast<char>(byte);
  return read(bytes).problem;
}

template <class Kind>
void check_equal(const Golden& golden) {
  if (const auto* kind = std::get_if<Kind>(&golden.message))
    CHECK(read_one<Kind>(golden.bytes) == *kind);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// Every text of it is longer than any limit, and every list.
message::Ended fullest_end() {
  const std::string text(20'000, 'x');
  diagnose::Evidence evidence = raised();
  evidence.spawn_error = sys::SpawnError{sys::SpawnStage::kUser, 1};
  evidence.spawn_text = text;
  evidence.gpus.assign(1000, 7);
  evidence.gpu_fault->pci = text;
  for (std::string* each : {&evidence.error->summary, &evidence.error->location,
                            &evidence.error->frame, &evidence.error->detail})
    *each = text;
  message::Ended ended = failed_end();
  ended.end.trouble = text;
  ended.end.evidence.assign(20, evidence);
  ended.model.assign(50, text);
  ended.model_place = text;
  return ended;
}

}  // namespace

TEST_CASE("each kind of message has the bytes that the protocol says") {
  const std::vector<Golden> all = golden();
  for (const Golden& golden : all) {
    CAPTURE(golden.message.index());
    CHECK(encode(golden.message) == golden.bytes);
  }
  for (std::size_t kind = 0; kind < std::variant_size_v<Message>; ++kind) {
    CHECK(std::any_of(all.begin(), all.end(), [&](const Golden& golden) {
      return golden.message.index() == kind && golden.bytes[4] == static_cast<char>(kind + 1);
    }));
  }
}

TEST_CASE("what is read is what was written") {
  for (const Golden& golden : golden()) {
    CAPTURE(golden.message.index());
    CHECK(read(golden.bytes) == Heard{golden.bytes, ""});
    check_equal<message::Challenge>(golden);
    check_equal<message::Answer>(golden);
    check_equal<message::Welcome>(golden);
    check_equal<message::Refusal>(golden);
    check_equal<message::Heartbeat>(golden);
    check_equal<message::Report>(golden);
    check_equal<message::StopBegan>(golden);
    check_equal<message::Waiting>(golden);
    check_equal<message::Stop>(golden);
    check_equal<message::Outcome>(golden);
    check_equal<message::Again>(golden);
    check_equal<message::Ready>(golden);
    check_equal<message::Joined>(golden);
    check_equal<message::Came>(golden);
    check_equal<message::Late>(golden);
  }
}

TEST_CASE("how a host ended is read as it was written, but for whose end it is") {
  message::Ended written = failed_end();
  written.end.host = written.end.evidence[0].host = "algo-9";
  written.end.host_rank = 9;
  const message::Ended ended = there_and_back(written);
  const diagnose::HostEnd& end = ended.end;
  CHECK(end.host.empty());
  CHECK(end.host_rank == 0);
  CHECK(end.workers == 8);
  CHECK_FALSE(end.success);
  CHECK(end.reason == StopReason::kHostLost);
  CHECK(end.stop_signal == 15);
  CHECK(end.store == sys::ExitStatus::killed(9));
  CHECK(end.oom_kills == 2);
  CHECK(end.started_at == at_us(1'000'000));
  CHECK(end.ended_at == at_us(3'000'000));
  CHECK(end.stop_at == at_us(2'000'000));
  CHECK(end.stuck);
  CHECK(end.trouble == "no GPU");
  CHECK(end.trouble_code == 125);
  CHECK(ended.model == std::vector<std::string>{"model.pt", "a/b"});
  CHECK(ended.model_place == "b 1");
  CHECK(there_and_back(good_end()).end.success);
  CHECK_FALSE(there_and_back(good_end()).end.store);
  CHECK_FALSE(there_and_back(good_end()).end.oom_kills);
}

TEST_CASE("the evidence of a worker is read as it was written, but for its host") {
  const std::vector<diagnose::Evidence> all = there_and_back(failed_end()).end.evidence;
  REQUIRE(all.size() == 2);
  const diagnose::Evidence& first = all[0];
  CHECK(first.host.empty());
  CHECK(first.rank == 5);
  CHECK(first.status == sys::ExitStatus::exited(1));
  CHECK_FALSE(first.spawn_error);
  CHECK_FALSE(first.stopped_by_us);
  CHECK(first.killed_by_us);
  CHECK(first.told_at == at_us(2'000'000));
  CHECK(first.oom);
  CHECK_FALSE(first.oom_ruled_out);
  CHECK(first.memory_limit == std::uint64_t{1} << 40);
  CHECK(first.shared_memory == 64 << 20);
  CHECK(first.gpus == std::vector<int>{0, 3});
  CHECK(first.after == std::chrono::microseconds(48'000'001));
  CHECK(first.first_error_at == at_us(1'250'000));
  CHECK(first.exited_at == at_us(3'000'000));
  REQUIRE(first.gpu_fault);
  CHECK(first.gpu_fault->gpu == 3);
  CHECK(first.gpu_fault->pci == "0000:3b:00.0");
  CHECK(first.gpu_fault->xid == 79);
  CHECK(first.gpu_fault->at == at_us(1'500'000));

  const diagnose::Evidence& second = all[1];
  CHECK(second.rank == -1);
  CHECK(second.status == sys::ExitStatus::killed(11, true));
  CHECK(second.spawn_error == sys::SpawnError{sys::SpawnStage::kExec, 13});
  CHECK(second.spawn_text == "cannot run x");
  CHECK(second.stopped_by_us);
  CHECK_FALSE(second.killed_by_us);
  CHECK(second.oom_ruled_out);
  CHECK(second.told_at == sys::TimePoint{});
  CHECK_FALSE(second.gpu_fault);
  CHECK_FALSE(second.error);
}

TEST_CASE("a worker's own words are read as they were written") {
  message::Ended written = failed_end();
  const auto error = there_and_back(written).end.evidence[0].error;
  REQUIRE(error);
  CHECK(error->summary == "ValueError: é");
  CHECK(error->location == "train.py:42");
  CHECK(error->frame == "File \"t.py\", line 42");
  CHECK(error->detail == "Traceback\nValueError: é");
  CHECK(error->last_line == "bye");
  for (const bool communication : {false, true}) {
    written.end.evidence[0].error->communication = communication;
    CHECK(there_and_back(written).end.evidence[0].error->communication == communication);
  }
  using diagnose::Weight;
  for (const Weight weight :
       {Weight::kNothing, Weight::kReport, Weight::kLine, Weight::kBystander, Weight::kFatal}) {
    written.end.evidence[0].error->weight = weight;
    CHECK(there_and_back(written).end.evidence[0].error->weight == weight);
  }
}

TEST_CASE("an agreement is read as it was written") {
  environment::Agreement written = agreement();
  written.nccl = {"10.0.0.1", 29600};
  const environment::Agreement read = there_and_back(message::Agreed{written}).agreement;
  CHECK(read.round == 1);
  CHECK(read.host_rank == 2);
  CHECK(read.host_count == 3);
  CHECK(read.first_rank == 16);
  CHECK(read.world_size == 24);
  CHECK(environment::host_and_port(read.store) == "algo-1:29500");
  CHECK(environment::host_and_port(read.jax) == "[fd00::1]:29501");
  CHECK(environment::host_and_port(read.nccl) == "10.0.0.1:29600");
  CHECK(read.run_id == "job");
  CHECK(read.max_restarts == 4);
  CHECK(read.launcher_serves_store);
}

TEST_CASE("how a stream is cut changes nothing of what is read") {
  std::string stream;
  for (const Golden& golden : golden()) stream += golden.bytes;
  const Heard whole{stream, ""};
  CHECK(read(stream) == whole);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameReader reader;
    Heard heard;
    for (const std::string& piece : {stream.substr(0, cut), stream.substr(cut)}) {
      reader.feed(piece);
      take_all(reader, heard);
    }
    CHECK(heard == whole);
  }
  FrameReader reader;
  Heard heard;
  for (const char byte : stream) {
    reader.feed(std::string_view(&byte, 1));
    take_all(reader, heard);
  }
  CHECK(heard == whole);
}

TEST_CASE("a frame that is not whole yet is none, wherever it is cut") {
  for (const Golden& golden : golden()) {
    for (std::size_t size = 0; size < golden.bytes.size(); ++size)
      CHECK(read(golden.bytes.substr(0, size)) == Heard{});
  }
}

TEST_CASE("a frame that announces too little for its fields is refused, wherever it is cut") {
  for (const Golden& golden : golden()) {
    const std::string body = golden.bytes.substr(4);
    for (std::size_t size = 1; size < body.size(); ++size) {
      const Heard heard = read(frame_of(body.substr(0, size)));
      CHECK(heard.messages.empty());
      CHECK(heard.problem.starts_with("a message \""));
    }
  }
}

TEST_CASE("bytes behind the fields of a message are refused") {
  for (const Golden& golden : golden()) {
    const std::string problem = read(frame_of(golden.bytes.substr(4) + "abc")).problem;
    CHECK(problem.ends_with("with 3 bytes too many"));
  }
  CHECK(problem_of_body("09 00") == "a message \"heard\" with 1 bytes too many");
}

TEST_CASE("a message of unknown kind is refused") {
  CHECK(problem_of_body("00") == "a message of unknown kind 0");
  CHECK(problem_of_body("14") == "a message of unknown kind 20");
  CHECK(problem_of_body("FF") == "a message of unknown kind 255");
}

TEST_CASE("an empty frame is refused") {
  CHECK(read(std::string(4, '\0')).problem == "an empty frame");
}

TEST_CASE("a frame over the limit is refused by its length alone") {
  CHECK(read(bytes_of("00 04 00 00")).problem ==
        "a frame of 262148 bytes, where 262144 are the most");
  CHECK(read(bytes_of("00 03 FF FC")) == Heard{});
  CHECK(read(bytes_of("FF FF FF FF")).problem ==
        "a frame of 4294967299 bytes, where 262144 are the most");
  CHECK(read("GET / HTTP/1.1\r\n").problem ==
        "a frame of 1195725860 bytes, where 262144 are the most");
}

TEST_CASE("less is let in of who has not proved who it is") {
  const std::string frame = encode(message::Waiting{std::string(5000, 'x')});
  CHECK(read(frame, 4096).problem == "a frame of 5009 bytes, where 4096 are the most");
  FrameReader reader(4096);
  reader.limit(kMostFrame);
  reader.feed(frame);
  CHECK(reader.next().value().has_value());
}

TEST_CASE("after what is no frame nothing is read any more, and nothing is kept") {
  FrameReader reader;
  reader.feed(std::string(4, '\0') + std::string(50'000, 'x'));
  CHECK_FALSE(reader.next());
  CHECK(reader.memory() <= 4096);
  for (int i = 0; i < 100; ++i) reader.feed(encode(message::Heard{}) + std::string(10'000, 'x'));
  CHECK_FALSE(reader.next());
  CHECK(reader.next().error().message == "an empty frame");
  CHECK(reader.memory() <= 4096);
}

TEST_CASE("messages before one that is refused are read") {
  const std::string good = encode(message::Heard{});
  CHECK(read(good + good + frame_of("x") + good) ==
        Heard{good + good, "a message of unknown kind 120"});
}

TEST_CASE("a truth value is 0 or 1") {
  // The last byte of a refusal is whether it is final.
  CHECK(problem_with_byte(kHexRefusal, 7, 2) == "a message \"refusal\" with a truth value of 2");
  CHECK(problem_with_byte(kHexRefusal, 7, 255) ==
        "a message \"refusal\" with a truth value of 255");
  // And so is whether something is there: the store's end.
  CHECK(problem_with_byte(kHexEnded, 11, 2) == "a message \"ended\" with a truth value of 2");
}

TEST_CASE("a choice is one of those there are") {
  CHECK(problem_with_byte(kHexStop, 1, 5).empty());
  CHECK(problem_with_byte(kHexStop, 1, 6) ==
        "a message \"stop\" with a choice of 6, where 5 is the last");
  CHECK(problem_with_byte(kHexStopBegan, 1, 255) ==
        "a message \"stop began\" with a choice of 255, where 5 is the last");
  message::Ended ended = failed_end();
  ended.end.evidence = {not_started()};
  std::string bytes = encode(ended);
  const std::size_t stage = bytes.find(std::string("\1\x08\0\0\0\x0d", 6)) + 1;
  CHECK(read(bytes).problem.empty());
  bytes[stage] = 9;
  CHECK(read(bytes).problem == "a message \"ended\" with a choice of 9, where 8 is the last");
}

TEST_CASE("a number is one that can be meant") {
  // An exit code of 256 would be a success.
  CHECK(problem_of_body("0D 00 00 01 00 00 00 00 00 00 00 00 00 FF FF FF FF FF FF FF FF") ==
        "a message \"outcome\" with the number 256, where 0 to 255 are possible");
  CHECK(problem_of_body("0D FF FF FF FF 00 00 00 00 00 00 00 00 FF FF FF FF FF FF FF FF") ==
        "a message \"outcome\" with the number -1, where 0 to 255 are possible");
  CHECK(problem_of_body("0D 00 00 00 FF 00 00 00 00 00 00 00 00 FF FF FF FF FF FF FF FF").empty());
  CHECK(problem_of_body("0C 01 00 00 00 00 00 00 00 41 00 00 00 00") ==
        "a message \"stop\" with the number 65, where 0 to 64 are possible");
  // A host without workers takes no part, and the sum of all hosts' workers has to be a number too.
  CHECK(problem_of_body("06 00 00 00 00 00 00 00 00") ==
        "a message \"report\" with the number 0, where 1 to 4096 are possible");
  CHECK(problem_of_body("06 7F FF FF FF 00 00 00 00") ==
        "a message \"report\" with the number 2147483647, where 1 to 4096 are possible");
  CHECK(problem_of_body("06 00 00 10 00 00 00 00 00").empty());
  CHECK(problem_of_body("10 FF FF FF FF") ==
        "a message \"ready\" with the number -1, where 0 to 2147483647 are possible");
  CHECK(problem_with_byte(kHexAgreed, 32, 1) ==
        "a message \"agreed\" with the number 95036, where 0 to 65535 are possible");
}

TEST_CASE("a time is one that a clock can show") {
  const std::string zeros = " 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
  CHECK(problem_of_body("05 00 08 00 00 00 00 00 00" + zeros).empty());
  CHECK(problem_of_body("05 00 08 00 00 00 00 00 01" + zeros) ==
        "a message \"heartbeat\" with a time of 2251799813685249 µs, which no clock shows");
  CHECK(problem_of_body("05 FF F8 00 00 00 00 00 00" + zeros).empty());
  CHECK(problem_of_body("05 FF F7 FF FF FF FF FF FF" + zeros) ==
        "a message \"heartbeat\" with a time of -2251799813685249 µs, which no clock shows");
}

TEST_CASE("a text over its limit is refused") {
  CHECK(read(frame_of(bytes_of("0A 00 00 40 00") + std::string(16384, 'x'))).problem.empty());
  CHECK(read(frame_of(bytes_of("0A 00 00 40 01") + std::string(16385, 'x'))).problem ==
        "a message \"waiting\" with a text of 16385 bytes, where 16384 are the most");
  CHECK(problem_of_body("0A FF FF FF FF 78") ==
        "a message \"waiting\" with a text of 4294967295 bytes, where 16384 are the most");
  CHECK(problem_of_body("0A 00 00 00 05 78") ==
        "a message \"waiting\" with a text of 5 bytes, where 1 are left");
}

TEST_CASE("a list over its limit is refused, by its count or its bytes") {
  CHECK(problem_of_body("0D 00 00 00 01 00 00 00 00 00 00 01 01") ==
        "a message \"outcome\" with a list of 257, where 256 are the most");
  CHECK(problem_of_body("0D 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 00") ==
        "a message \"outcome\" with a list of 2, which cannot be in 4 bytes");
  CHECK(
      problem_of_body(
          "0D 00 00 00 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 FF FF FF FF FF FF FF FF")
          .empty());
  const std::string line = bytes_of("00 00 3F FC") + std::string(16380, 'x');
  const std::string before = bytes_of("0D 00 00 00 01 00 00 00 00 00 00 00");
  CHECK(read(frame_of(before + "\x08" + repeated(line, 8) + "rankhost")).problem.empty());
  CHECK(read(frame_of(before + "\x09" + repeated(line, 9))).problem ==
        "a message \"outcome\" with a list of more than 131072 bytes");
}

TEST_CASE("a text that is too long is cut at a character") {
  const std::string longest = there_and_back(message::Waiting{repeated("é", 8192)}).text;
  CHECK(longest == repeated("é", 8192));
  CHECK(there_and_back(message::Waiting{"x" + longest}).text == "x" + repeated("é", 8191));
  CHECK(there_and_back(message::Waiting{longest + "é"}).text == longest);
  CHECK(there_and_back(message::Waiting{std::string(20'000, '\xBF')}).text.size() > 16'000);
}

TEST_CASE("of a detail that is too long its end stays, from a character on") {
  message::Ended ended = failed_end();
  const auto detail_of = [&](const std::string& detail) {
    ended.end.evidence[0].error->detail = detail;
    return there_and_back(ended).end.evidence[0].error->detail;
  };
  CHECK(detail_of(repeated("é", 8192)) == repeated("é", 8192));
  CHECK(detail_of("a" + repeated("é", 8192)) == repeated("é", 8192));
  CHECK(detail_of(repeated("é", 8192) + "a") == repeated("é", 8191) + "a");
  CHECK(detail_of(std::string(20'000, '\xBF')).size() > 16'000);
}

TEST_CASE("of a list that is too long the first items stay") {
  diagnose::Verdict verdict;
  for (int i = 0; i < 300; ++i) verdict.lines.push_back(std::to_string(i));
  const auto lines = there_and_back(message::Outcome{verdict}).verdict.lines;
  CHECK(lines.size() == 256);
  CHECK(lines.back() == "255");

  verdict.lines.assign(20, std::string(16380, 'x'));
  CHECK(there_and_back(message::Outcome{verdict}).verdict.lines.size() == 8);
  verdict.lines.push_back("short");
  CHECK(there_and_back(message::Outcome{verdict}).verdict.lines.size() == 8);

  message::Ended ended = failed_end();
  ended.end.evidence.clear();
  for (int rank = 0; rank < 20; ++rank) {
    ended.end.evidence.push_back(raised());
    ended.end.evidence.back().rank = rank;
  }
  const auto evidence = there_and_back(ended).end.evidence;
  CHECK(evidence.size() == kMostEvidence);
  CHECK(evidence.back().rank == 7);
}

TEST_CASE("numbers that nobody can mean take the nearest value, and can be read") {
  diagnose::Verdict verdict;
  verdict.exit_code = 256;
  CHECK(there_and_back(message::Outcome{verdict}).verdict.exit_code == 255);
  CHECK(there_and_back(message::Report{-3, {}}).slots == 1);
  CHECK(there_and_back(message::Report{4097, {}}).slots == 4096);
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const message::Heartbeat heartbeat{kMost, -kMost, kMostTime};
  CHECK(there_and_back(heartbeat) == message::Heartbeat{kMostTime, -kMostTime, kMostTime});
  message::Ended ended = good_end();
  ended.end.ended_at = sys::TimePoint::max();
  ended.end.stop_at = sys::TimePoint::min();
  CHECK(there_and_back(ended).end.ended_at == at_us(kMostTime));
  CHECK(there_and_back(ended).end.stop_at == at_us(-kMostTime));
}

TEST_CASE("the fullest end of a host fits into a frame, and its details give way") {
  const message::Ended fullest = fullest_end();
  const std::string frame = encode(fullest);
  CHECK(frame.size() <= kMostFrame);
  const message::Ended read = read_one<message::Ended>(frame);
  CHECK(read.end.evidence.size() == kMostEvidence);
  for (const diagnose::Evidence& evidence : read.end.evidence) {
    CHECK(evidence.spawn_text.size() == kMostLine);
    CHECK(evidence.error->summary.size() == kMostLine);
    CHECK(evidence.error->location.size() == kMostLine);
    CHECK(evidence.error->frame.size() == kMostLine);
    CHECK(evidence.gpus.size() == 128);
    CHECK(evidence.error->detail.size() >= 1024);
    CHECK(evidence.error->detail.size() < kMostText);
  }
  CHECK(read.model.size() == 1);
  CHECK(read.model_place.size() == 4096);
  CHECK(read.end.trouble.size() == kMostText);
}

TEST_CASE("details do not give way while there is room") {
  message::Ended ended = failed_end();
  diagnose::Evidence evidence = raised();
  evidence.error->detail.assign(kMostText, 'x');
  ended.end.evidence.assign(kMostEvidence, evidence);
  for (const diagnose::Evidence& each : there_and_back(ended).end.evidence)
    CHECK(each.error->detail.size() == kMostText);
}

TEST_CASE("no message makes a frame that is not let in") {
  const std::string text(20'000, 'x');
  message::Report report;
  report.facts.assign(50, {text, text, true});
  message::Report short_facts;
  short_facts.facts.assign(5000, {"x", "", true});
  message::Ended short_files = good_end();
  short_files.model.assign(50'000, "x");
  diagnose::Verdict verdict;
  verdict.failure = text;
  verdict.lines.assign(300, text);
  environment::Agreement agreement;
  agreement.store.address = agreement.jax.address = agreement.nccl.address = agreement.run_id =
      text;
  for (const Message& message : std::initializer_list<Message>{
           message::Challenge{1, text}, message::Answer{1, text, text, text},
           message::Welcome{text}, message::Refusal{text, true}, report, short_facts, short_files,
           message::StopBegan{StopReason::kNone, 0, text}, fullest_end(), message::Waiting{text},
           message::Agreed{agreement}, message::Stop{StopReason::kNone, text, 0, text},
           message::Outcome{verdict}}) {
    CAPTURE(message.index());
    const std::string frame = encode(message);
    CHECK(frame.size() <= kMostFrame);
    CHECK(read(frame) == Heard{frame, ""});
  }
}

TEST_CASE("frames that come byte by byte cost no more than their bytes") {
  // With a quadratic reader this takes minutes: 32 MB are moved or looked at a million times.
  message::Ended ended = failed_end();
  ended.end.evidence[0].error->detail.assign(kMostText, 'x');
  ended.end.evidence.assign(kMostEvidence, ended.end.evidence[0]);
  const std::string frame = encode(ended);
  FrameReader reader;
  std::size_t messages = 0, most_memory = 0;
  for (int round = 0; round < 8; ++round) {
    for (const char byte : frame) {
      reader.feed(std::string_view(&byte, 1));
      most_memory = std::max(most_memory, reader.memory());
      if (reader.next().value()) ++messages;
    }
  }
  CHECK(messages == 8);
  CHECK(most_memory <= 4 * kMostFrame);
}

TEST_CASE("many messages in one piece cost no more than their bytes, and leave no memory behind") {
  FrameReader reader;
  const std::string beat = encode(message::Heartbeat{1, 2, 3});
  const std::string many = repeated(beat, 100'000);
  reader.feed(many);
  std::size_t messages = 0;
  while (reader.next().value()) ++messages;
  CHECK(messages == 100'000);
  CHECK(reader.memory() <= 4096);
}

TEST_CASE("a stream whose frames never end where a piece does keeps no more than a few frames") {
  FrameReader reader;
  const std::string beat = encode(message::Heartbeat{1, 2, 3});
  const std::string stream = repeated(beat, 1000);
  std::size_t messages = 0, most_memory = 0;
  reader.feed(beat.substr(0, 10));
  for (int round = 0; round < 100; ++round) {
    for (std::size_t at = 10; at < stream.size(); at += beat.size()) {
      reader.feed(stream.substr(at, beat.size()));
      most_memory = std::max(most_memory, reader.memory());
      while (reader.next().value()) ++messages;
    }
    reader.feed(beat.substr(0, 10));
    while (reader.next().value()) ++messages;
  }
  CHECK(messages == 100'000);
  CHECK(most_memory <= 4096);
}
