#include "check/gpu.h"

#include <fmt/core.h>

#include "hardware/machine.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

GpuFacts facts_with(int gpus, int workers) {
  GpuFacts facts;
  facts.gpus.devices.resize(static_cast<std::size_t>(gpus));
  facts.gpus.source = "libcuda";
  facts.gpus.driver_version = "550.54.15";
  facts.gpus.cuda_version = "12.4";
  facts.workers = workers;
  facts.python = true;
  return facts;
}

}  // namespace

TEST_CASE("versions of drivers are compared number by number") {
  CHECK(is_at_least("525.60.13", "525.60.13"));
  CHECK(is_at_least("525.105.17", "525.60.13"));
  CHECK(is_at_least("580.65.6", "580.65.06"));
  CHECK(is_at_least("1000.1", "580.65.06"));
  CHECK_FALSE(is_at_least("525.60.12", "525.60.13"));
  CHECK_FALSE(is_at_least("470.223.02", "525.60.13"));
  CHECK_FALSE(is_at_least("525", "525.60.13"));
  CHECK_FALSE(is_at_least("", "450.80.02"));
}

TEST_CASE("as many workers as GPUs are nothing to tell of") {
  check_told(judge_gpu(facts_with(4, 4)), {});
  check_told(judge_gpu(facts_with(0, 2)), {});
}

TEST_CASE("workers that share GPUs, and GPUs without a worker") {
  check_told(judge_gpu(facts_with(2, 4)), {"warning: 4 workers share 2 GPUs"});
  check_told(judge_gpu(facts_with(4, 1)), {"note: 1 worker for 4 GPUs"});
}

TEST_CASE("fewer GPUs than the type has are an error only where that was asked for") {
  GpuFacts facts = facts_with(7, 7);
  facts.instance_type = "ml.p5.48xlarge";
  check_told(judge_gpu(facts), {"warning: ml.p5.48xlarge has 8 GPUs, and 7 were found"});
  for (const auto& [count, words] : {std::pair(1, "1 was"), std::pair(0, "none was")}) {
    GpuFacts few = facts_with(count, 1);
    few.instance_type = facts.instance_type;
    check_told(judge_gpu(few),
               {fmt::format("warning: ml.p5.48xlarge has 8 GPUs, and {} found", words)});
  }
  facts.required = true;
  check_told(judge_gpu(facts), {"error: ml.p5.48xlarge has 8 GPUs"});
  facts.gpus.chosen = true;
  check_told(judge_gpu(facts), {});
  GpuFacts none = facts_with(0, 1);
  none.required = true;
  check_told(judge_gpu(none), {"error: --require-gpus is set"});
}

TEST_CASE("drivers that are too old for the program's CUDA") {
  struct Case {
    const char *driver, *newest;  ///< what the driver says that it runs; "": it was not asked
    int needed;
    bool fits;
  };
  const Case cases[] = {
      {"450.80.02", "", 11, true},
      {"450.80.01", "", 11, false},
      {"525.60.13", "", 12, true},
      {"525.60.12", "", 12, false},
      {"580.65.06", "", 13, true},
      {"580.65.05", "", 13, false},
      {"580.65.06", "", 12, true},
      {"470.57.02", "", 14, true},
      {"", "", 12, true},
      {"550.54.15", "12.4", 12, true},
      // Minor version compatibility: 12.8 runs on a driver of 12.0.
      {"525.60.13", "12.0", 12, true},
      {"550.54.15", "12.4", 13, false},
      {"610.10.01", "14.1", 15, false},
      // The compatibility package makes an old driver run more.
      {"470.57.02", "12.4", 12, true},
  };
  for (const Case& one : cases) {
    CAPTURE(one.driver);
    CAPTURE(one.needed);
    GpuFacts facts = facts_with(1, 1);
    facts.gpus.driver_version = one.driver;
    facts.gpus.cuda_version = one.newest;
    facts.cuda = CudaNeed{one.needed, std::to_string(one.needed) + ".1", "torch 2.4.1", true};
    CHECK(judge_gpu(facts).findings.empty() == one.fits);
  }
}

TEST_CASE("a driver that is too old comes with the one that is needed, and with what it runs") {
  GpuFacts facts = facts_with(1, 1);
  facts.cuda = CudaNeed{13, "13.0", "torch 2.9.0", true};
  const AreaReport report = judge_gpu(facts);
  check_told(report,
             {"error: the driver 550.54.15 does not run CUDA 13.0, which torch 2.9.0 needs"});
  CHECK(report.findings[0].remedy.find("580.65.06") != std::string::npos);
  CHECK(report.findings[0].remedy.find("CUDA 12.x") != std::string::npos);
  facts.cuda->sure = false;
  check_told(judge_gpu(facts), {"warning: the driver 550.54.15 does not run CUDA 13.0"});
}

TEST_CASE("without a GPU nothing is said of drivers and builds") {
  GpuFacts facts = facts_with(0, 1);
  facts.cuda = CudaNeed{13, "13.0", "torch", true};
  facts.torch_without_cuda = true;
  check_told(judge_gpu(facts), {});
}

TEST_CASE("a torch without CUDA leaves GPUs unused") {
  GpuFacts facts = facts_with(1, 1);
  facts.torch_without_cuda = true;
  check_told(judge_gpu(facts), {"warning: torch is built without CUDA"});
}

TEST_CASE("NCCL for another CUDA, several of them, and none") {
  GpuFacts facts = facts_with(2, 2);
  facts.cuda = CudaNeed{12, "12.4", "torch 2.4.1", true};
  facts.nccl = {{"/a/libnccl.so.2", "2.21.5", 12}};
  check_told(judge_gpu(facts), {});
  facts.nccl = {{"/a/libnccl.so.2", "2.27.3", 13}};
  check_told(judge_gpu(facts), {"warning: NCCL 2.27.3 is built for CUDA 13"});
  facts.nccl = {{"/a/libnccl.so.2", "2.21.5", 12}, {"/b/libnccl.so.2", "", {}}};
  check_told(judge_gpu(facts), {"note: there are 2 NCCLs: /a/libnccl.so.2 (2.21.5), /b/libnccl"});
  facts.nccl.clear();
  check_told(judge_gpu(facts), {});
  facts.python = false;
  check_told(judge_gpu(facts), {"note: libnccl.so.2 is in none"});
}

TEST_CASE("the search for GPUs passes its own warnings on") {
  GpuFacts facts = facts_with(1, 1);
  facts.gpus.warnings = {"the CUDA driver cannot be asked"};
  check_told(judge_gpu(facts), {"warning: the CUDA driver cannot be asked"});
}

TEST_CASE("what was seen is told: GPUs, driver, and what it runs") {
  CHECK(judge_gpu(facts_with(2, 2)).text ==
        "2 × GPU (CUDA driver 12.4, by libcuda), driver 550.54.15 runs CUDA 12.x");
}

TEST_CASE("which CUDA a program needs is told by torch, else by the image's runtime") {
  const Machine image;
  image.write("usr/local/cuda/lib64/libcudart.so.12");
  image.write("usr/lib64/libnccl.so.2");
  Subject subject;
  subject.roots.image = image / "";
  GpuFacts facts = gpu_facts(subject, {});
  REQUIRE(facts.cuda);
  CHECK(facts.cuda->major == 12);
  CHECK_FALSE(facts.cuda->sure);
  CHECK(facts.nccl.size() == 1);
  PythonFacts python;
  python.torch_cuda = "11.8";
  CHECK(gpu_facts(subject, python).cuda->major == 12);
  python.uses_torch = true;
  python.packages = {{"torch", "2.1.0"}};
  facts = gpu_facts(subject, python);
  CHECK(facts.cuda->version == "11.8");
  CHECK(facts.cuda->by == "torch 2.1.0");
  python.torch_cuda = "";
  facts = gpu_facts(subject, python);
  CHECK_FALSE(facts.cuda);
  CHECK(facts.torch_without_cuda);
  image.write("usr/lib64/libcudart.so.13");
  CHECK_FALSE(gpu_facts(subject, {}).cuda);
}
