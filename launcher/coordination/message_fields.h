#pragma once

#include "coordination/message.h"
#include "coordination/wire_limits.h"

/// The fields of each message in their order, once for the writer and the reader. A struct that
/// gets another field does not compile here until it is known what becomes of that.
namespace trainit::coordination {

template <class Wire, class T>
using Part = typename Wire::template Part<T>;

// --- what messages are made of -------------------------------------------------------------------
template <class Wire>
void fields(Wire& wire, Part<Wire, int>& number) {
  wire.number(number);
}
template <class Wire>
void fields(Wire& wire, Part<Wire, std::int64_t>& number) {
  wire.number(number);
}
template <class Wire>
void fields(Wire& wire, Part<Wire, std::string>& text) {
  wire.text(text);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, sys::ExitStatus>& status) {
  auto& [code, signal, core_dumped] = status;
  wire.number(code, kExitCodes);
  wire.number(signal, kSignals);
  wire.flag(core_dumped);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, sys::SpawnError>& error) {
  auto& [stage, errno_value] = error;
  wire.choice(stage, sys::SpawnStage::kExec);
  wire.number(errno_value);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, hardware::GpuFault>& fault) {
  auto& [gpu, pci, xid, at] = fault;
  wire.number(gpu);
  wire.text(pci, kMostLine);
  wire.number(xid);
  wire.time(at);
}

/// `offset` is of no use elsewhere.
template <class Wire>
void fields(Wire& wire, Part<Wire, diagnose::ErrorText>& error) {
  auto& [summary, location, frame, detail, communication, weight, last_line, offset] = error;
  wire.text(summary, kMostLine);
  wire.text(location, kMostLine);
  wire.text(frame, kMostLine);
  wire.detail(detail);
  wire.flag(communication);
  wire.choice(weight, diagnose::Weight::kFatal);
  wire.text(last_line, kMostLine);
}

/// `host` is the connection's.
template <class Wire>
void fields(Wire& wire, Part<Wire, diagnose::Evidence>& evidence) {
  auto& [host, rank, status, spawn_error, spawn_text, stopped_by_us, killed_by_us, told_at, oom,
         oom_ruled_out, memory_limit, shared_memory, gpus, gpu_fault, error, after, first_error_at,
         exited_at] = evidence;
  wire.number(rank);
  fields(wire, status);
  wire.maybe(spawn_error);
  wire.text(spawn_text, kMostLine);
  wire.flag(stopped_by_us);
  wire.flag(killed_by_us);
  wire.time(told_at);
  wire.flag(oom);
  wire.flag(oom_ruled_out);
  wire.number(memory_limit);
  wire.number(shared_memory);
  wire.list(gpus, kGpuLimits);
  wire.maybe(gpu_fault);
  wire.maybe(error);
  wire.time(after);
  wire.time(first_error_at);
  wire.time(exited_at);
}

/// `host` and `host_rank` are the connection's.
template <class Wire>
void fields(Wire& wire, Part<Wire, diagnose::HostEnd>& end) {
  auto& [host, host_rank, workers, success, reason, stop_signal, store, oom_kills, started_at,
         ended_at, stop_at, stuck, trouble, trouble_code, evidence] = end;
  wire.number(workers, kCounts);
  wire.flag(success);
  wire.choice(reason, kLastStopReason);
  wire.number(stop_signal, kSignals);
  wire.maybe(store);
  wire.maybe(oom_kills);
  wire.time(started_at);
  wire.time(ended_at);
  wire.time(stop_at);
  wire.flag(stuck);
  wire.text(trouble);
  wire.number(trouble_code, kExitCodes);
  wire.list(evidence, kEvidenceLimits);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, environment::Endpoint>& endpoint) {
  auto& [address, port] = endpoint;
  wire.text(address, kMostLine);
  wire.number(port, kPorts);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, environment::Agreement>& agreement) {
  auto& [round, host_rank, host_count, first_rank, world_size, store, jax, nccl, run_id,
         max_restarts, launcher_serves_store] = agreement;
  wire.number(round, kCounts);
  wire.number(host_rank, kCounts);
  wire.number(host_count, kCounts);
  wire.number(first_rank, kCounts);
  wire.number(world_size, kCounts);
  fields(wire, store);
  fields(wire, jax);
  fields(wire, nccl);
  wire.text(run_id, kMostLine);
  wire.number(max_restarts, kCounts);
  wire.flag(launcher_serves_store);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, diagnose::Verdict>& verdict) {
  auto& [exit_code, failure, lines, cause_rank, cause_host] = verdict;
  wire.number(exit_code, kExitCodes);
  wire.text(failure);
  wire.list(lines, kLineLimits);
  wire.number(cause_rank);
  wire.number(cause_host);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Fact>& fact) {
  auto& [name, value, shown] = fact;
  wire.text(name);
  wire.text(value);
  wire.flag(shown);
}

// --- the messages --------------------------------------------------------------------------------
template <class Wire>
void fields(Wire& wire, Part<Wire, message::Challenge>& challenge) {
  auto& [version, nonce] = challenge;
  wire.number(version);
  wire.text(nonce);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Answer>& answer) {
  auto& [version, host, nonce, proof] = answer;
  wire.number(version);
  wire.text(host);
  wire.text(nonce);
  wire.text(proof);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Welcome>& welcome) {
  wire.text(welcome.proof);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Refusal>& refusal) {
  auto& [why, final] = refusal;
  wire.text(why);
  wire.flag(final);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Heartbeat>& heartbeat) {
  auto& [clock, echo, held] = heartbeat;
  wire.microseconds(clock);
  wire.microseconds(echo);
  wire.microseconds(held);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Report>& report) {
  auto& [slots, facts] = report;
  wire.number(slots, kSlots);
  wire.list(facts, kFactLimits);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::StopBegan>& began) {
  auto& [reason, signal, text] = began;
  wire.choice(reason, kLastStopReason);
  wire.number(signal, kSignals);
  wire.text(text);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Ended>& ended) {
  auto& [end, model, model_place] = ended;
  fields(wire, end);
  wire.list(model, kModelLimits);
  wire.text(model_place, kMostLine);
}

template <class Wire>
void fields(Wire&, Part<Wire, message::Heard>&) {}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Waiting>& waiting) {
  wire.text(waiting.text);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Agreed>& agreed) {
  fields(wire, agreed.agreement);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Stop>& stop) {
  auto& [reason, host, signal, text] = stop;
  wire.choice(reason, kLastStopReason);
  wire.text(host, kMostLine);
  wire.number(signal, kSignals);
  wire.text(text);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Outcome>& outcome) {
  fields(wire, outcome.verdict);
}

template <class Wire>
void fields(Wire&, Part<Wire, message::Leave>&) {}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Again>& again) {
  auto& [round, delay, verdict] = again;
  wire.number(round, kCounts);
  wire.time(delay);
  fields(wire, verdict);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Ready>& ready) {
  wire.number(ready.round, kCounts);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Joined>& joined) {
  auto& [round, pid] = joined;
  wire.number(round, kCounts);
  wire.number(pid, kCounts);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Came>& came) {
  auto& [round, rank] = came;
  wire.number(round, kCounts);
  wire.number(rank, kCounts);
}

template <class Wire>
void fields(Wire& wire, Part<Wire, message::Late>& late) {
  auto& [round, after] = late;
  wire.number(round, kCounts);
  wire.time(after);
}

}  // namespace trainit::coordination
