#include "supervise/store_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <set>

#include "base/text.h"
#include "store/server.h"
#include "sys/files.h"
#include "sys/inheritance.h"
#include "sys/posix.h"
#include "sys/process.h"

namespace trainit::supervise {
namespace {

/// What a line may come to: no pipe takes more in one go, and so the child writes none that is
/// longer.
constexpr std::size_t kMostLine = PIPE_BUF;

constexpr std::string_view kJoined = "joined ", kNameless = "nameless ", kComplaint = "complaint ";

/// Stands for an address of this machine, in the report of a process that has joined.
constexpr std::string_view kHere = "here";

/// What the child does from its fork to its end. Signals stay blocked in it as they are in us: it
/// ends by SIGKILL, or with us.
class StoreChild {
 public:
  StoreChild(const StoreProcess::Setup& setup, int reports) : setup_(setup), reports_(reports) {}

  void prepare(pid_t parent) {
    posix::setpgid(0, 0);
    sys::name_process("trainit-store");
    if (parent != 1) posix::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // our death was before that
    [[maybe_unused]] const int moved = posix::chdir("/");
    close_what_is_not_ours();
  }

  Result<void> serve() {
    sys::EventLoop loop = TRAINIT_TRY(sys::EventLoop::create());
    store::ServerOptions options;
    options.world_size = setup_.world_size;
    options.allowed = setup_.allowed;
    options.joined = [this](std::string_view place, std::uint32_t pid) { report_join(place, pid); };
    options.joined_nameless = [this](int at_once) { report_nameless(at_once); };
    options.complain = [this](std::string_view sentence) { report(kComplaint, sentence); };
    [[maybe_unused]] const auto server =
        TRAINIT_TRY(store::Server::start(loop, setup_.listener, std::move(options)));
    for (;;) loop.run_once();
  }

  /// Each process once; processes of different machines may have the same number.
  void report_join(std::string_view place, std::uint32_t pid) {
    constexpr std::size_t kMost = 1 << 16;
    std::string who = fmt::format("{} {}", pid, place == store::kThisMachine ? kHere : place);
    if (told_.size() > kMost || told_.contains(who)) return;
    report(kJoined, who);
    told_.insert(std::move(who));
  }

  /// One whose torch does not tell its pid may be the same when it comes again, but not while it is
  /// still there.
  void report_nameless(int at_once) {
    if (at_once <= most_nameless_) return;
    most_nameless_ = at_once;
    report(kNameless, std::to_string(at_once));
  }

  /// One write, which a pipe takes whole or not at all. The job does not depend on it.
  void report(std::string_view kind, std::string_view text) const {
    const std::string line = fmt::format("{}{}\n", kind, text);
    [[maybe_unused]] const ssize_t written = posix::write(reports_, line.data(), line.size());
  }

 private:
  /// A pipe of a worker that we held open would never end for its reader, nor the record's lock.
  void close_what_is_not_ours() const {
    std::vector<int> ours = {reports_};
    for (const sys::UniqueFd& socket : setup_.listener.sockets()) ours.push_back(socket.get());
    sys::close_all_but(std::move(ours));
    const sys::UniqueFd nothing = sys::open_nothing();
    for (int fd = 0; fd <= 2 && nothing; ++fd) ::dup2(nothing.get(), fd);
  }

  const StoreProcess::Setup& setup_;
  int reports_;
  std::set<std::string> told_;  ///< who has joined
  int most_nameless_ = 0;
};

}  // namespace

StoreProcess::StoreProcess(Setup setup) : setup_(std::move(setup)), reports_(kMostLine) {}

Result<void> StoreProcess::start(sys::EventLoop& loop, Callbacks callbacks) {
  const auto failed = [](const std::string& why) {
    return fail("starting the rendezvous store: " + why);
  };
  callbacks_ = std::move(callbacks);
  const auto writer = reports_.open(
      loop, {.line = [this](std::string_view line) { read_report(line); },
             // Strangers talk to the child; what it has become must not cost us our memory.
             .gave_up =
                 [this] {
                   callbacks_.complain(
                       "the rendezvous store's process reports what makes no sense, and is not "
                       "listened to any more");
                 }});
  if (!writer) return failed(writer.error().message);
  // Who serves the workers never waits for us.
  if (posix::fcntl(writer->get(), F_SETFL, O_NONBLOCK) != 0)
    return failed("a pipe: " + sys::errno_text(errno));
  const pid_t parent = ::getpid();
  const pid_t child = posix::fork();
  if (child < 0) return failed(sys::errno_text(errno));
  if (child == 0) serve(parent, writer->get());
  pid_ = child;
  return {};
}

void StoreProcess::serve(pid_t parent, int reports) const {
  StoreChild child(setup_, reports);
  try {
    child.prepare(parent);
    const Result<void> served = child.serve();
    if (!served) child.report(kComplaint, "the rendezvous store: " + served.error().message);
  } catch (const std::exception& problem) {
    child.report(kComplaint, fmt::format("the rendezvous store: {}", problem.what()));
  }
  ::_exit(1);
}

void StoreProcess::end() {
  if (pid_ > 0) posix::kill(pid_, SIGKILL);
}

void StoreProcess::retire() {
  end();
  for (const sys::UniqueFd& socket : setup_.listener.sockets())
    posix::shutdown(socket.get(), SHUT_RDWR);
}

void StoreProcess::forget() {
  reports_.read_all();  // what it said last
  reports_.close();
  pid_ = -1;
}

/// "32 here", "32 10.0.0.7".
void StoreProcess::read_join(std::string_view text) const {
  const std::size_t space = text.find(' ');
  const auto pid = parse_number<pid_t>(text.substr(0, space));
  if (!pid || space == std::string_view::npos) return;
  const std::string_view place = text.substr(space + 1);
  if (place == kHere) return callbacks_.joined(std::nullopt, *pid);
  if (const auto address = sys::Address::parse(place)) callbacks_.joined(*address, *pid);
}

void StoreProcess::read_report(std::string_view line) const {
  if (line.starts_with(kJoined)) {
    read_join(line.substr(kJoined.size()));
  } else if (line.starts_with(kNameless)) {
    if (const auto count = parse_number<int>(line.substr(kNameless.size())))
      callbacks_.joined_nameless(*count);
  } else if (line.starts_with(kComplaint)) {
    callbacks_.complain(line.substr(kComplaint.size()));
  }
}

}  // namespace trainit::supervise
