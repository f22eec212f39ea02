// A worker that makes communicators, by the steps of its command line; "@1,3:STEP" is for ranks 1
// and 3 alone. A step that fails ends it with code 1 and a sentence on stderr.
//
//   timeout=SECONDS  library=PATH  header=CODE      for the communicators that are made later
//   deaf           communicators that are made later do not ask whether it was told to stop
//   up             waits until all ranks are up
//   make=NAME  make=NAME:RANK,RANK                  a communicator, of all ranks or of these
//   no=NAME                                         the same, and it has to fail
//   same=NAME                                       again, with the client of the store kept
//   sum=NAME       adds up the ranks of the job, and says the sum
//   check=NAME  close=NAME  abort=NAME
//   move=NAME      moves it elsewhere, and asks what was left whether NCCL and all is well
//   break=NAME     waits for its asynchronous error
//   plain          as a program that knows NCCL alone: by NCCL_COMM_ID, RANK and WORLD_SIZE
//   bare=N  made=N N communicators, without this project's Communicator (the id through the store)
//                  and with it, and says how long each took
//   version        the version of the library, which it only loads
//   hold           until SIGTERM
//   kill           ends itself by SIGKILL
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "base/text.h"
#include "nccl/library.h"
#include "nccl/version.h"
#include "trainit/nccl.h"

using trainit::Result;
using trainit::nccl::Communicator;
using trainit::nccl::Options;

namespace {

volatile sig_atomic_t stopped = 0;

int variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::atoi(value) : 0;
}

class Worker {
 public:
  Worker() {
    options_.stop_requested = [] { return stopped != 0; };
  }

  Result<void> run(std::string_view step) {
    if (step.starts_with('@')) {
      const auto colon = step.find(':');
      if (!listed(step.substr(1, colon - 1))) return {};
      step.remove_prefix(colon + 1);
    }
    const auto equals = step.find('=');
    const std::string name(step.substr(0, equals));
    const std::string value(equals == step.npos ? "" : step.substr(equals + 1));
    if (name == "timeout") return set_timeout(value);
    if (name == "library") return options_.library = value, Result<void>();
    if (name == "header") return options_.header_version = std::atoi(value.c_str()), Result<void>();
    if (name == "deaf") return options_.stop_requested = {}, Result<void>();
    if (name == "up") return wait_for_all();
    if (name == "make") return make(value);
    if (name == "no") return make(value) ? trainit::fail("was made") : Result<void>();
    if (name == "same") return make_with_kept_client(value);
    if (name == "sum") return sum(made_.at(value), value);
    if (name == "check") return made_.at(value).check();
    if (name == "close") return made_.at(value).close();
    if (name == "abort") return made_.at(value).abort(), Result<void>();
    if (name == "move") return move(made_.at(value));
    if (name == "break") return wait_for_error(made_.at(value));
    if (name == "plain") return plain();
    if (name == "bare") return bare(std::atoi(value.c_str()));
    if (name == "made") return made(std::atoi(value.c_str()));
    if (name == "version") return version();
    if (name == "hold") return hold();
    if (name == "kill") ::kill(::getpid(), SIGKILL);
    return trainit::fail("no such step: " + name);
  }

 private:
  bool listed(std::string_view ranks) const {
    for (const auto rank : trainit::split(ranks, ',')) {
      if (trainit::parse_number<int>(rank) == rank_) return true;
    }
    return false;
  }

  Result<void> set_timeout(const std::string& seconds) {
    options_.timeout = std::chrono::milliseconds(std::lround(std::atof(seconds.c_str()) * 1000));
    return {};
  }

  static Result<void> wait_for_all() {
    auto store = TRAINIT_TRY(trainit::StoreClient::connect_from_environment());
    if (TRAINIT_TRY(store.add("how many are up", 1)) == variable("WORLD_SIZE"))
      TRAINIT_TRY(store.set("all are up", ""));
    return store.wait({"all are up"});
  }

  Result<void> make(const std::string& value) {
    Options options = options_;
    const auto colon = value.find(':');
    options.name = value.substr(0, colon);
    if (colon != value.npos) {
      const std::string ranks = value.substr(colon + 1);
      for (const auto rank : trainit::split(ranks, ','))
        options.ranks.push_back(*trainit::parse_number<int>(rank));
    }
    auto communicator = TRAINIT_TRY(Communicator::from_environment(options));
    std::printf("%s: rank %d of %d\n", value.c_str(), communicator.rank(), communicator.size());
    made_.insert_or_assign(options.name, std::move(communicator));
    return {};
  }

  Result<void> make_with_kept_client(const std::string& name) {
    if (!store_) store_.emplace(TRAINIT_TRY(trainit::StoreClient::join_from_environment()));
    Options options = options_;
    options.name = name;
    auto communicator =
        TRAINIT_TRY(Communicator::create(*store_, rank_, variable("WORLD_SIZE"), options));
    made_.insert_or_assign(name, std::move(communicator));
    return {};
  }

  Result<void> sum(Communicator& communicator, const std::string& name) const {
    auto* all_reduce = communicator.function<decltype(ncclAllReduce)>("ncclAllReduce");
    if (all_reduce == nullptr) return trainit::fail("no ncclAllReduce");
    const float from = static_cast<float>(rank_);
    float to = -1;
    TRAINIT_TRY(communicator.settle(
        all_reduce(&from, &to, 1, ncclFloat, ncclSum, communicator.get(), nullptr)));
    std::printf("%s: sum %g\n", name.c_str(), to);
    return {};
  }

  static Result<void> move(Communicator& communicator) {
    const Communicator taken = std::move(communicator);
    for (const auto result : {ncclSuccess, ncclSystemError}) {
      // NOLINTNEXTLINE(bugprone-use-after-move): what is left there is what is tried
      if (communicator.settle(result)) return trainit::fail("what was moved from was settled");
    }
    return communicator.check();
  }

  static Result<void> wait_for_error(Communicator& communicator) {
    for (;;) {
      TRAINIT_TRY(communicator.check());
      ::usleep(1000);
    }
  }

  static Result<void> hold() {
    std::puts("holding");
    std::fflush(stdout);
    while (stopped == 0) ::usleep(1000);
    return trainit::fail("was held until SIGTERM");
  }

  Result<void> version() const {
    const auto library =
        TRAINIT_TRY(trainit::nccl::Library::load(options_.library, options_.header_version));
    int code = 0;
    library->get_version(&code);
    std::printf("NCCL %s\n", trainit::nccl::version_text(code).c_str());
    return {};
  }

  template <class Function>
  Function* find(const char* name) const {
    void* library = ::dlopen(options_.library.c_str(), RTLD_NOW);
    return library == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(library, name));
  }

  /// What every example of NCCL's begins with, and ends with.
  Result<void> start_plain(const ncclUniqueId& id, ncclComm_t& comm) const {
    auto* init = find<decltype(ncclCommInitRank)>("ncclCommInitRank");
    auto* last = find<decltype(ncclGetLastError)>("ncclGetLastError");
    if (init(&comm, variable("WORLD_SIZE"), id, rank_) != ncclSuccess)
      return trainit::fail(std::string("ncclCommInitRank: ") + last(nullptr));
    return {};
  }
  void end_plain(ncclComm_t comm) const {
    find<decltype(ncclCommDestroy)>("ncclCommDestroy")(comm);
  }

  Result<void> plain() const {
    ncclUniqueId id;
    find<decltype(ncclGetUniqueId)>("ncclGetUniqueId")(&id);
    ncclComm_t comm = nullptr;
    TRAINIT_TRY(start_plain(id, comm));
    const float from = static_cast<float>(rank_);
    float to = -1;
    find<decltype(ncclAllReduce)>("ncclAllReduce")(&from, &to, 1, ncclFloat, ncclSum, comm,
                                                   nullptr);
    std::printf("plain: sum %g\n", to);
    end_plain(comm);
    return {};
  }

  Result<void> bare(int times) {
    auto store = TRAINIT_TRY(trainit::StoreClient::connect_from_environment());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) {
      const std::string key = "bare " + std::to_string(i);
      ncclUniqueId id;
      if (rank_ == 0) {
        find<decltype(ncclGetUniqueId)>("ncclGetUniqueId")(&id);
        TRAINIT_TRY(store.set(key, {id.internal, sizeof id.internal}));
      } else {
        std::memcpy(&id, TRAINIT_TRY(store.get(key)).data(), sizeof id);
      }
      ncclComm_t comm = nullptr;
      TRAINIT_TRY(start_plain(id, comm));
      end_plain(comm);
    }
    return say_time("bare", times, start);
  }

  Result<void> made(int times) {
    auto store = TRAINIT_TRY(trainit::StoreClient::connect_from_environment());
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < times; ++i) {
      auto communicator =
          TRAINIT_TRY(Communicator::create(store, rank_, variable("WORLD_SIZE"), options_));
      TRAINIT_TRY(communicator.close());
    }
    return say_time("made", times, start);
  }

  static Result<void> say_time(const char* what, int times,
                               std::chrono::steady_clock::time_point start) {
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    std::printf("%s: %.3f ms each\n", what, time.count() / times);
    return {};
  }

  int rank_ = variable("RANK");
  Options options_;
  std::optional<trainit::StoreClient> store_;
  std::map<std::string, Communicator> made_;
};

int run(int argc, char** argv) {
  Worker worker;
  for (int step = 1; step < argc; ++step) {
    const auto done = worker.run(argv[step]);
    std::fflush(stdout);
    if (!done) {
      std::fprintf(stderr, "error: %s\n", done.error().message.c_str());
      return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  struct sigaction action = {};
  action.sa_handler = [](int) { stopped = 1; };
  ::sigaction(SIGTERM, &action, nullptr);
  return run(argc, argv);
}
