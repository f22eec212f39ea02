#pragma once

#include <cstdint>
#include <queue>
#include <string>
#include <vector>

#include "dice.h"
#include "supervise/job_machine.h"

namespace trainit::supervise::testing {

using trainit::testing::Dice;

/// A host with a clock of its own that lives through one job of a JobMachine: workers that end,
/// die, ignore TERM, leave orphans, fork while they are killed, hold pipes or hang in the kernel,
/// a store that may crash, stop signals at any time, and peers that stop, all as the seed has it.
/// Times are milliseconds.
class SimulatedHost {
 public:
  explicit SimulatedHost(std::uint64_t seed, bool keep_trace = false);

  /// Lives through the job. Returns the first promise that was broken, or nothing.
  std::string run();
  const std::string& trace() const { return trace_; }

 private:
  struct Process {
    int worker;        ///< whose leader it is; -1: nobody's
    int group;         ///< the worker whose group it is in; -1: a session of its own
    int code;          ///< with which it ends when it is not killed
    int term_delay;    ///< from TERM to its end; -1: it ignores TERM
    int kill_delay;    ///< from KILL to its end; -1: it never goes
    bool holds_pipe;   ///< its stdout is the relay's pipe
    int children = 0;  ///< that it leaves behind
    bool alive = true;
    bool asked = false;  ///< it got a signal that was no KILL
  };
  struct Happening {
    int at;
    int order;
    enum class Kind { kEvent, kTimer, kEnd } kind;
    Event event;
    int process = -1, signal = 0;  ///< kEnd: who, and by which signal (0: by itself)
    bool operator>(const Happening& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void post(int delay, Event event);
  void post_end(int delay, int process, int signal);
  void happen(const Happening& what);
  void tell(const Event& event);
  void end_process(int index, int signal);
  void carry_out(const Action& action);
  void carry_out(const action::Spawn& what);
  void carry_out(const action::SignalLeaders& what);
  void carry_out(const action::SignalGroups& what);
  void carry_out(const action::SignalTree& what);
  void carry_out(const action::ArmTimer& what);
  void carry_out(const action::CancelTimer&);
  void carry_out(const action::TellPeers&);
  void carry_out(const action::EndHelpers&);
  void carry_out(const action::AwaitEmptyTree&);
  void carry_out(const action::AwaitDrain&);
  void carry_out(const action::Finish&);
  void deliver(int process, int signal);
  int add_process(int worker, int group);
  void answer_waits();
  bool pipe_is_held() const;
  bool anybody_alive() const;
  bool leader_alive() const;
  void lose_store();
  void hear_of_peers(const event::PeersStop& what);
  void expect(bool promise, const char* broken);
  void check_end();
  void check_time();
  void note(const std::string& text);

  Dice dice_;
  Limits limits_;
  int workers_;
  JobMachine machine_;
  std::priority_queue<Happening, std::vector<Happening>, std::greater<>> future_;
  std::vector<Process> processes_;
  std::vector<int> true_codes_;  ///< of the workers; -1: it did not end with a code of its own
  int now_ = 0, order_ = 0, forks_left_ = 8;
  int armed_order_ = -1;      ///< order of the armed timer's happening; -1: none is armed
  bool store_lost_ = false;   ///< while a worker ran, or before one that failed was all there was
  bool fork_failed_ = false;  ///< and the machine does not know it yet
  bool awaits_empty_ = false, awaits_drain_ = false;
  bool begun_ = false;
  bool store_runs_ = true, store_ended_ = false;  ///< ended: by the machine
  bool store_died_first_ = false;                 ///< before the machine's end came to it
  bool signalled_ = false;                        ///< the leaders were
  bool stopping_ = false;
  bool peers_told_ = false, heard_of_peers_ = false;
  int stop_at_ = -1, failed_at_ = -1, all_down_at_ = -1, finished_at_ = -1;
  std::string problem_, trace_;
  bool keep_trace_;
};

}  // namespace trainit::supervise::testing
