#include "plan/launch_plan.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "hardware/numa.h"
#include "temporary_directory.h"

using namespace trainit;
using namespace std::chrono_literals;

namespace {

/// All that a plan is made of: a command on a host of 16 cpus and 4 GPUs, to be changed at will.
struct Given {
  TrainingJob job;
  Hardware hardware;
  Cluster cluster;
  Command command;
  Options options;
  Environment inherited;
  environment::HostEnvironment host;
  environment::Agreement agreement;
  int workers = 1;
  bool terminal = false;
  std::string error_directory;

  Given() {
    hardware.cpus.online = hardware.cpus.affinity = 16;
    set_gpus(4);
    hardware.interfaces = {{"lo", true, true}, {"eth0", true, false}};
    cluster.interface = "eth0";
    command.argv = {"sh", "-c", "true"};
    inherited.set("PATH", "/bin", "inherited");
    set_workers(1);
  }
  void set_gpus(int count) {
    hardware.gpus.devices.resize(static_cast<std::size_t>(count));
    for (int index = 0; index < count; ++index) {
      Gpu& gpu = hardware.gpus.devices[static_cast<std::size_t>(index)];
      gpu.index = index;
      gpu.uuid = "GPU-" + std::to_string(index);
    }
  }
  void set_workers(int count) {
    workers = count;
    agreement =
        environment::Agreement::single(count, {"127.0.0.1", 7000}, {"127.0.0.1", 7001}, "j");
  }
  void inherit(const std::string& name, const std::string& value) {
    inherited.set(name, value, "inherited");
  }
  PlanInput input() const {
    return PlanInput{.job = job,
                     .hardware = hardware,
                     .cluster = cluster,
                     .command = command,
                     .options = options,
                     .inherited = inherited,
                     .host = host,
                     .agreement = agreement,
                     .workers = workers,
                     .terminal = terminal,
                     .error_directory = error_directory,
                     .user = {}};
  }
  LaunchPlan plan() const {
    Result<LaunchPlan> made = make_plan(input());
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    return std::move(*made);
  }
  /// The variable of the worker of this local rank; "(unset)" when it has none.
  std::string variable(const std::string& name, int worker = 0) const {
    const LaunchPlan made = plan();
    const std::string* value =
        made.workers.at(static_cast<std::size_t>(worker)).environment.find(name);
    return value == nullptr ? "(unset)" : *value;
  }
  int count() const {
    const Result<int> workers_here = worker_count(options, hardware, command);
    REQUIRE(workers_here);
    return *workers_here;
  }
};

std::string on(const char* platform_variable) {
  Environment inherited;
  if (platform_variable != nullptr) inherited.set(platform_variable, "x", "inherited");
  const StopBudget budget = stop_budget({}, {}, inherited);
  return std::to_string(budget.total.count()) + " " + std::to_string(budget.leaders.count());
}

}  // namespace

TEST_CASE("a command gets one worker for each GPU, and one when there is none") {
  Given given;
  CHECK(given.count() == 4);
  given.set_gpus(0);
  CHECK(given.count() == 1);
}

TEST_CASE("a script gets one worker, unless the platform asks for one per GPU") {
  Given given;
  given.command.script_mode = true;
  CHECK(given.count() == 1);
  given.command.distributed = true;
  CHECK(given.count() == 4);
  given.set_gpus(0);
  CHECK(given.count() == 1);
}

TEST_CASE("the number of workers that was asked for is what is started") {
  Given given;
  given.command.script_mode = true;
  given.options.workers = {WorkerCount::Kind::kNumber, 7};
  CHECK(given.count() == 7);
  given.options.workers = {WorkerCount::Kind::kGpu, 0};
  CHECK(given.count() == 4);
  given.options.workers = {WorkerCount::Kind::kCpu, 0};
  CHECK(given.count() == 16);
}

TEST_CASE("one worker per cpu counts the cpus within the quota") {
  Given given;
  given.options.workers = {WorkerCount::Kind::kCpu, 0};
  given.hardware.cpus.quota = 2.5;
  CHECK(given.count() == 2);
}

TEST_CASE("one worker per GPU is refused where there is no GPU") {
  Given given;
  given.set_gpus(0);
  given.options.workers = {WorkerCount::Kind::kGpu, 0};
  const auto count = worker_count(given.options, given.hardware, given.command);
  REQUIRE_FALSE(count);
  CHECK(count.error().message.find("--workers gpu") != std::string::npos);
  CHECK(count.error().exit_code == kSetUpFailed);
}

TEST_CASE("a command is told its rank always, a script when it has company") {
  const Options options;
  const Command command;
  Command script;
  script.script_mode = true;
  CHECK(wants_ranks(options, command, 1));
  CHECK_FALSE(wants_ranks(options, script, 1));
  CHECK(wants_ranks(options, script, 2));
  script.distributed = true;
  CHECK(wants_ranks(options, script, 1));
}

TEST_CASE("--rank-env decides against the kind of command") {
  Options options;
  Command command, script;
  script.script_mode = true;
  options.rank_environment = RankEnvironment::kAlways;
  CHECK(wants_ranks(options, script, 1));
  options.rank_environment = RankEnvironment::kNever;
  CHECK_FALSE(wants_ranks(options, command, 8));
}

TEST_CASE("the time for a stop is the platform's, less what the groups and the rest need") {
  CHECK(on(nullptr) == "10000 7500");
  CHECK(on("KUBERNETES_SERVICE_HOST") == "30000 22500");
  CHECK(on("AWS_BATCH_JOB_ID") == "30000 22500");
  CHECK(on("SLURM_JOB_ID") == "30000 22500");
}

TEST_CASE("SageMaker's time for a stop is known by the job's ARN, also on Kubernetes") {
  TrainingJob job;
  job.arn = "arn:aws:sagemaker:eu-west-1:1:training-job/x";
  Environment inherited;
  inherited.set("KUBERNETES_SERVICE_HOST", "10.0.0.1", "inherited");
  const StopBudget budget = stop_budget({}, job, inherited);
  CHECK(budget.total == 120s);
  CHECK(budget.leaders == 110s);
  CHECK(budget.groups == 5s);
  CHECK(budget.kill == 4350ms);
  CHECK(budget.drain == 500ms);
}

TEST_CASE("the steps of a stop fit into any budget, and leave time for the failure file") {
  for (int total = 1; total <= 15'000; total += total < 100 ? 1 : 100) {
    CAPTURE(total);
    Options options;
    options.stop_budget = std::chrono::milliseconds(total);
    const StopBudget budget = stop_budget(options, {}, {});
    for (const auto step : {budget.leaders, budget.groups, budget.kill, budget.drain})
      REQUIRE(step >= 0ms);
    const auto left = budget.total - budget.leaders - budget.groups - budget.kill - budget.drain;
    REQUIRE(left >= std::min<std::chrono::milliseconds>(150ms, budget.total / 40));
  }
}

TEST_CASE("--stop-budget wins over the platform's, and from 40 s on only 10 s are taken off") {
  Options options;
  const auto leaders = [&](std::chrono::milliseconds total) {
    options.stop_budget = total;
    return stop_budget(options, {}, {}).leaders;
  };
  CHECK(leaders(4s) == 3s);
  CHECK(leaders(39s) == 29'250ms);
  CHECK(leaders(40s) == 30s);
  CHECK(leaders(0s) == 0s);
  options.stop_budget = 60s;
  TrainingJob job;
  job.arn = "arn";
  CHECK(stop_budget(options, job, {}).total == 60s);
}

TEST_CASE("each worker of a group gets its own rank and the common place to meet") {
  Given given;
  given.set_workers(3);
  const LaunchPlan plan = given.plan();
  REQUIRE(plan.workers.size() == 3);
  CHECK(plan.workers[2].rank == 2);
  CHECK(plan.workers[2].local_rank == 2);
  CHECK(given.variable("RANK", 2) == "2");
  CHECK(given.variable("LOCAL_RANK", 2) == "2");
  CHECK(given.variable("WORLD_SIZE", 2) == "3");
  CHECK(given.variable("LOCAL_WORLD_SIZE", 2) == "3");
  CHECK(given.variable("MASTER_ADDR", 0) == "127.0.0.1");
  CHECK(given.variable("MASTER_PORT", 2) == "7000");
  CHECK(given.variable("TORCHELASTIC_USE_AGENT_STORE", 1) == "False");
  CHECK(given.variable("JAX_PROCESS_ID", 1) == "1");
  CHECK(given.variable("JAX_COORDINATOR_ADDRESS", 1) == "127.0.0.1:7001");
}

TEST_CASE("on the second host ranks go on where the first host's end") {
  Given given;
  given.set_workers(2);
  given.agreement.first_rank = 4;
  given.agreement.host_rank = 1;
  given.agreement.host_count = 2;
  given.agreement.world_size = 6;
  const LaunchPlan plan = given.plan();
  CHECK(plan.workers[1].rank == 5);
  CHECK(plan.workers[1].local_rank == 1);
  CHECK(given.variable("RANK", 1) == "5");
  CHECK(given.variable("LOCAL_RANK", 1) == "1");
  CHECK(given.variable("GROUP_RANK", 1) == "1");
}

TEST_CASE("what an outer launcher told its own worker is overwritten") {
  Given given;
  given.set_workers(2);
  given.inherit("RANK", "17");
  given.inherit("MASTER_ADDR", "elsewhere");
  given.inherit("TORCHELASTIC_USE_AGENT_STORE", "True");
  given.inherit("TORCHELASTIC_ERROR_FILE", "/outer/error.json");
  CHECK(given.variable("RANK", 1) == "1");
  CHECK(given.variable("MASTER_ADDR", 1) == "127.0.0.1");
  CHECK(given.variable("TORCHELASTIC_USE_AGENT_STORE", 1) == "False");
  CHECK(given.variable("TORCHELASTIC_ERROR_FILE", 1) == "(unset)");
}

TEST_CASE("workers without ranks keep what their caller told them, and get nothing for a group") {
  Given given;
  given.job.on_platform = true;
  given.options.rank_environment = RankEnvironment::kNever;
  given.inherit("RANK", "17");
  CHECK(given.variable("RANK") == "17");
  CHECK(given.variable("WORLD_SIZE") == "(unset)");
  CHECK(given.variable("MASTER_ADDR") == "(unset)");
  CHECK(given.variable("OMP_NUM_THREADS") == "(unset)");
  CHECK(given.variable("NCCL_SOCKET_IFNAME") == "(unset)");
}

TEST_CASE("each worker has an error file of its own") {
  Given given;
  given.set_workers(2);
  given.error_directory = "/tmp/errors";
  CHECK(given.variable("TORCHELASTIC_ERROR_FILE", 0) !=
        given.variable("TORCHELASTIC_ERROR_FILE", 1));
  CHECK(given.variable("TORCHELASTIC_ERROR_FILE", 1).starts_with("/tmp/errors/"));
}

TEST_CASE("workers without ranks keep the error file that their caller told them") {
  Given given;
  given.error_directory = "/tmp/errors";
  given.options.rank_environment = RankEnvironment::kNever;
  CHECK(given.variable("TORCHELASTIC_ERROR_FILE", 0).starts_with("/tmp/errors/"));
  given.inherit("TORCHELASTIC_ERROR_FILE", "/outer/error.json");
  CHECK(given.variable("TORCHELASTIC_ERROR_FILE", 0) == "/outer/error.json");
}

TEST_CASE("the cpus within the quota are shared out as OpenMP threads, at least one each") {
  Given given;
  given.set_workers(4);
  CHECK(given.variable("OMP_NUM_THREADS", 3) == "4");
  given.hardware.cpus.quota = 6;
  CHECK(given.variable("OMP_NUM_THREADS") == "1");
  given.set_workers(1);
  CHECK(given.variable("OMP_NUM_THREADS") == "6");
  given.set_workers(64);
  CHECK(given.variable("OMP_NUM_THREADS", 63) == "1");
}

TEST_CASE("NCCL and Gloo are told the platform's interface where it exists") {
  Given given;
  given.job.on_platform = true;
  CHECK(given.variable("NCCL_SOCKET_IFNAME") == "eth0");
  CHECK(given.variable("GLOO_SOCKET_IFNAME") == "eth0");
  given.cluster.interface = "ethwe";
  CHECK(given.variable("NCCL_SOCKET_IFNAME") == "(unset)");
  CHECK(given.variable("GLOO_SOCKET_IFNAME") == "(unset)");
}

TEST_CASE("NCCL is told an id only when there is a port for it, and never over the user's own") {
  Given given;
  CHECK(given.variable("NCCL_COMM_ID") == "(unset)");
  given.agreement.nccl = {"fd00::1", 7002};
  CHECK(given.variable("NCCL_COMM_ID") == "[fd00::1]:7002");
  given.inherit("NCCL_COMM_ID", "10.0.0.1:1234");
  CHECK(given.variable("NCCL_COMM_ID") == "10.0.0.1:1234");
}

TEST_CASE("outside a platform nobody is told an interface") {
  Given given;
  CHECK(given.variable("NCCL_SOCKET_IFNAME") == "(unset)");
}

TEST_CASE("Python's output comes at once, with ranks and without") {
  Given given;
  CHECK(given.variable("PYTHONUNBUFFERED") == "1");
  given.options.rank_environment = RankEnvironment::kNever;
  CHECK(given.variable("PYTHONUNBUFFERED") == "1");
}

TEST_CASE("the user's own settings win, and only what we set is noted") {
  Given given;
  given.job.on_platform = true;
  given.inherit("OMP_NUM_THREADS", "3");
  given.inherit("NCCL_SOCKET_IFNAME", "^docker");
  given.inherit("PYTHONUNBUFFERED", "");
  CHECK(given.variable("OMP_NUM_THREADS") == "3");
  CHECK(given.variable("NCCL_SOCKET_IFNAME") == "^docker");
  CHECK(given.variable("PYTHONUNBUFFERED") == "");
  const auto notes = given.plan().notes;
  CHECK(std::count(notes.begin(), notes.end(), "GLOO_SOCKET_IFNAME=eth0") == 1);
  for (const std::string& note : notes) {
    CHECK_FALSE(note.starts_with("OMP_NUM_THREADS"));
    CHECK_FALSE(note.starts_with("NCCL_SOCKET_IFNAME"));
    CHECK_FALSE(note.starts_with("PYTHONUNBUFFERED"));
  }
}

TEST_CASE("the host's variables and the script's PYTHONPATH reach every worker, as they are") {
  Given given;
  given.set_workers(2);
  given.inherit("SM_HOSTS", "stale");
  given.inherit("LD_PRELOAD", "libchangehostname.so");
  given.host.variables.set("SM_HOSTS", "[\"algo-1\"]", "resourceconfig.json");
  given.command.python_path = "/opt/ml/code:/inherited";
  for (int worker = 0; worker < 2; ++worker) {
    CHECK(given.variable("SM_HOSTS", worker) == "[\"algo-1\"]");
    CHECK(given.variable("PYTHONPATH", worker) == "/opt/ml/code:/inherited");
    CHECK(given.variable("LD_PRELOAD", worker) == "libchangehostname.so");
  }
}

TEST_CASE("all GPUs stay visible by default") {
  Given given;
  given.set_workers(4);
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 2) == "(unset)");
  given.inherit("CUDA_VISIBLE_DEVICES", "0,1,2,3");
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 2) == "0,1,2,3");
}

TEST_CASE("isolated workers see the GPU of their local rank alone") {
  Given given;
  given.set_workers(4);
  given.options.isolate_gpus = true;
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 0) == "0");
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 3) == "3");
}

TEST_CASE("isolated workers get their GPU by the name that the user's own list has for it") {
  Given given;
  given.set_gpus(2);
  given.set_workers(2);
  given.options.isolate_gpus = true;
  given.inherit("CUDA_VISIBLE_DEVICES", "6, GPU-feed");
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 0) == "6");
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 1) == "GPU-feed");
}

TEST_CASE("isolated workers get MIG instances by UUID") {
  Given given;
  given.set_gpus(2);
  given.set_workers(2);
  given.options.isolate_gpus = true;
  for (Gpu& gpu : given.hardware.gpus.devices) {
    gpu.mig = true;
    gpu.uuid = "MIG-" + std::to_string(gpu.index);
  }
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 1) == "MIG-1");
}

TEST_CASE("more isolated workers than GPUs share them in turn, and none is none") {
  Given given;
  given.set_gpus(2);
  given.set_workers(4);
  given.options.isolate_gpus = true;
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 2) == "0");
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 3) == "1");
  given.set_gpus(0);
  CHECK(given.variable("CUDA_VISIBLE_DEVICES", 3) == "(unset)");
}

TEST_CASE("workers are bound to the cpus next to their GPU when that is asked for and known") {
  Given given;
  CHECK_FALSE(given.plan().workers[0].cpus);
  given.options.binding = Binding::kNuma;
  CHECK_FALSE(given.plan().workers[0].cpus);
  given.hardware.gpus.devices[0].numa_node = 0;
  const auto expected = hardware::cpus_of_numa_node(0);
  const auto bound = given.plan().workers[0].cpus;
  REQUIRE(bound.has_value() == expected.has_value());
  if (expected) CHECK(CPU_EQUAL(&*bound, &*expected));
}

TEST_CASE("only a single worker gets our stdin, and the terminal when we have one") {
  Given given;
  CHECK(given.plan().workers[0].stdio == Stdio::kRelayWithStdin);
  given.terminal = true;
  CHECK(given.plan().workers[0].stdio == Stdio::kInherit);
  given.set_workers(2);
  CHECK(given.plan().workers[0].stdio == Stdio::kRelay);
  CHECK(given.plan().workers[1].stdio == Stdio::kRelay);
}

TEST_CASE("arguments arrive byte for byte") {
  Given given;
  given.command.argv = {"sh", "", "a b", "$(x)", "--", "line\nend", "\xff"};
  CHECK(given.plan().workers[0].argv == given.command.argv);
  CHECK(given.plan().workers[0].executable == "/bin/sh");
}

TEST_CASE(
    "a program that is not there is 127, one that cannot be run 126, and the sentence says so") {
  Given given;
  given.command.argv = {"no-such-program"};
  auto plan = make_plan(given.input());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().exit_code == 127);
  CHECK(plan.error().message == "cannot run no-such-program: there is no such program in /bin");

  const TemporaryDirectory directory;
  directory.write("plain", "x");
  given.inherit("PATH", directory.path);
  given.command.argv = {"plain"};
  plan = make_plan(given.input());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().exit_code == 126);
  CHECK(plan.error().message.find("execut") != std::string::npos);
}

TEST_CASE("the plan carries the times and the user that were chosen") {
  Given given;
  given.options.failure_grace = 3s;
  given.options.linger = 4s;
  given.command.directory = "/tmp";
  PlanInput input = given.input();
  input.user = sys::Credentials{7, 8, {9}};
  const auto plan = make_plan(input);
  REQUIRE(plan);
  CHECK(plan->failure_grace == 3s);
  CHECK(plan->linger == 4s);
  CHECK(plan->user->uid == 7);
  CHECK(plan->workers[0].directory == "/tmp");
}

TEST_CASE("the times that nobody chose are those of the documents") {
  const Given given;
  for (const std::chrono::milliseconds failure_grace :
       {given.options.failure_grace, given.plan().failure_grace, LaunchPlan().failure_grace})
    CHECK(failure_grace == 20s);
  for (const std::chrono::milliseconds linger :
       {given.options.linger, given.plan().linger, LaunchPlan().linger})
    CHECK(linger == 5s);
  CHECK_FALSE(given.options.stop_budget);
  CHECK(given.options.gpu_deadline == 10s);
  CHECK(given.options.gpu_health == 10s);
  CHECK(given.options.deep_deadline == 120s);
  CHECK(given.options.late_after == 60s);
  CHECK(given.plan().late_after == 60s);
  CHECK(given.options.meet_timeout == 15min);
  CHECK(given.options.restart_delay == 1s);
  CHECK(given.options.min_uptime == 0s);
  CHECK(given.options.max_restarts == 0);
}

TEST_CASE("the environment of a worker can be had without a plan") {
  Given given;
  given.set_workers(2);
  given.options.isolate_gpus = true;
  given.error_directory = "/tmp/errors";
  CHECK(worker_environment(given.input(), 1).to_strings() ==
        given.plan().workers[1].environment.to_strings());
}
