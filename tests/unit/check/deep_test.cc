#include "check/deep.h"

#include "check/expected_speeds.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

constexpr char kH100[] = "NVIDIA H100 80GB HBM3";

ProbeStep of_gpu(const std::string& name, int gpu) { return {name, gpu, std::nullopt, 0}; }
ProbeStep copy(int from, int to) { return {"copy", from, to, 0}; }

/// A host whose GPUs are well: each has the speeds of a sound H100.
DeepFacts sound(int gpus) {
  DeepFacts facts;
  facts.gpus = gpus;
  facts.instance_type = "ml.p5.48xlarge";
  facts.program = "/usr/local/bin/trainit-gpu-probe";
  facts.deadline = std::chrono::seconds(60);
  for (int gpu = 0; gpu < gpus; ++gpu) {
    facts.report.gpus.push_back({gpu, kH100, 83'000'000'000, 85'000'000'000});
    facts.report.results.push_back({of_gpu("memory", gpu), 3.0e12, 0, 100});
    facts.report.results.push_back({of_gpu("product", gpu), 45e12, 0, 100});
    facts.report.results.push_back({of_gpu("tensor product", gpu), 250e12, 0, 100});
    facts.report.results.push_back({copy(gpu, gpu), 2.8e12, 0, 100});
  }
  for (int from = 0; from < gpus; ++from) {
    for (int to = 0; to < gpus; ++to) {
      if (from != to) facts.report.results.push_back({copy(from, to), 360e9, 0, 100});
    }
  }
  facts.report.results.push_back({{"all-reduce", {}, {}, 0}, 260e9, 0, 100});
  facts.report.nccl_version = "2.28.9";
  facts.report.complete = true;
  facts.report.seconds = 12;
  return facts;
}

ProbeResult& result(DeepFacts& facts, const ProbeStep& step) {
  for (ProbeResult& one : facts.report.results) {
    if (one.step.text() == step.text()) return one;
  }
  REQUIRE(false);
  return facts.report.results[0];
}

ProbeFailure failure(const ProbeStep& step, const std::string& call, int code) {
  return {step, call, code, call + ": because"};
}

}  // namespace

TEST_CASE("GPUs that are well have figures and no findings") {
  const AreaReport report = judge_deep(sound(8));
  check_told(report, {});
  CHECK(report.text ==
        "8 of 8 GPUs tried · memory 3.00 TB/s · product 45.0 TFLOPS · tensor product 250.0 TFLOPS "
        "· copies within a GPU 2.80 TB/s · between GPUs 360 GB/s · all-reduce 455 GB/s on the bus "
        "(NCCL 2.28.9) · 12 s");
}

TEST_CASE("one GPU has no bus to measure") {
  const AreaReport report = judge_deep(sound(1));
  check_told(report, {});
  CHECK(report.text.find("NCCL 2.28.9 works; one GPU has no bus to measure") != std::string::npos);
}

TEST_CASE("without a GPU nothing is tried, and without the program that is a warning") {
  CHECK(judge_deep(DeepFacts()).skipped);
  check_told(judge_deep(DeepFacts()), {});
  DeepFacts facts;
  facts.gpus = 1;
  facts.looked_in = {"/usr/local/bin", "/bin"};
  CHECK(judge_deep(facts).skipped);
  check_told(judge_deep(facts),
             {"warning: trainit-gpu-probe is not there (looked in /usr/local/bin, /bin)"});
}

TEST_CASE("wrong results are an error that names the GPUs") {
  DeepFacts facts = sound(2);
  result(facts, of_gpu("tensor product", 1)).wrong = 3;
  check_told(judge_deep(facts),
             {"error: GPU 1 gives wrong results (tensor product: 3 of 100 numbers)"});
  facts = sound(2);
  result(facts, copy(1, 0)).wrong = 1;
  result(facts, {"all-reduce", {}, {}, 0}).wrong = 100;
  check_told(judge_deep(facts),
             {"error: GPUs 1 and 0 give wrong results (copy from GPU 1 to GPU 0: 1 of 100 numbers)",
              "error: the GPUs together give wrong results (all-reduce: 100 of 100 numbers)"});
}

TEST_CASE("what a GPU refuses is an error, but not where it could only not be tried") {
  DeepFacts facts = sound(2);
  facts.report.failures = {failure(of_gpu("memory", 1), "cuEventSynchronize", 214),
                           failure(copy(0, 1), "cuMemcpyPeerAsync", 700),
                           failure(of_gpu("memory", 1), "cuMemAlloc", 2),
                           failure(of_gpu("start", 0), "cuModuleLoadDataEx", 209),
                           failure(of_gpu("start", 0), "cuModuleLoadDataEx", 218),
                           failure(of_gpu("start", 0), "cuModuleLoadDataEx", 222),
                           failure(of_gpu("memory", 0), "cuMemGetInfo", 0),
                           failure({"driver", {}, {}, 0}, "cuInit", 999)};
  check_told(judge_deep(facts),
             {"error: GPU 1 failed (memory: cuEventSynchronize: because)",
              "error: GPUs 0 and 1 failed (copy from GPU 0 to GPU 1: cuMemcpyPeerAsync: because)",
              "warning: not all could be tried: memory of GPU 1: cuMemAlloc: because",
              "warning: not all could be tried: start of GPU 0: cuModuleLoadDataEx: because",
              "warning: not all could be tried: start of GPU 0: cuModuleLoadDataEx: because",
              "warning: not all could be tried: start of GPU 0: cuModuleLoadDataEx: because",
              "warning: not all could be tried: memory of GPU 0: cuMemGetInfo: because",
              "warning: not all could be tried: driver: cuInit: because"});
}

TEST_CASE("a missing NCCL matters to several GPUs, and one that fails to all") {
  const ProbeStep step{"all-reduce", {}, {}, 0};
  for (const int gpus : {1, 2}) {
    DeepFacts facts = sound(gpus);
    facts.report.failures = {failure(step, "dlopen", 0)};
    check_told(judge_deep(facts), {gpus == 1 ? "note: NCCL was not tried: dlopen: because"
                                             : "warning: NCCL was not tried: dlopen: because"});
    facts.report.failures = {failure(step, "ncclCommInitAll", 2)};
    check_told(judge_deep(facts), {"warning: NCCL could not be tried: ncclCommInitAll: because"});
  }
}

TEST_CASE("a step that takes most of the time hangs, and what is before it may be slow") {
  DeepFacts facts = sound(2);
  facts.in_time = false;
  facts.trouble = "it did not answer in time";
  facts.report.complete = false;
  facts.report.open = ProbeStep{"product", 1, {}, 5};
  check_told(judge_deep(facts),
             {"error: GPU 1 did not come to an end within 1 min (product for the last 55 s)"});
  facts.report.open->began = 35;
  check_told(judge_deep(facts),
             {"warning: GPU 1 did not come to an end within 1 min (product for the last 25 s)"});
  facts.report.open = ProbeStep{"start", 1, {}, 5};
  check_told(judge_deep(facts), {"warning: GPU 1 did not come to an end within 1 min (start for"});
  facts.report.open = ProbeStep{"driver", {}, {}, 0};
  check_told(judge_deep(facts), {"warning: trainit-gpu-probe did not come to an end within 1 min"});
  facts.report.open = ProbeStep{"all-reduce", {}, {}, 5};
  check_told(judge_deep(facts),
             {"error: trainit-gpu-probe did not come to an end within 1 min (all-reduce for"});
  facts.report.open.reset();
  check_told(judge_deep(facts), {"warning: trainit-gpu-probe did not come to an end within 1 min"});
}

TEST_CASE("a crash, an early end and garbage are warnings with the step") {
  DeepFacts facts = sound(1);
  facts.report.open = of_gpu("memory", 0);
  facts.trouble = "/bin/p was killed by SIGSEGV (segmentation fault)";
  check_told(judge_deep(facts), {"warning: /bin/p was killed by SIGSEGV (segmentation fault) (at "
                                 "the step memory of GPU 0)"});
  facts.trouble.clear();
  facts.report.open.reset();
  facts.report.garbage = "hello";
  check_told(judge_deep(facts),
             {"warning: /usr/local/bin/trainit-gpu-probe says what is no answer: "
              "hello"});
  facts.report.garbage.clear();
  facts.report.complete = false;
  check_told(judge_deep(facts),
             {"warning: /usr/local/bin/trainit-gpu-probe ended before it had said all"});
}

TEST_CASE("memory that is slow for its GPU is a warning, once") {
  DeepFacts facts = sound(2);
  result(facts, of_gpu("memory", 1)).per_second = 1.9e12;
  check_told(judge_deep(facts), {"warning: the memory of GPU 1 moves 1.90 TB/s, 57 % of what a "
                                 "NVIDIA H100 80GB HBM3 can"});
  for (ProbedGpu& gpu : facts.report.gpus) gpu.name = "NVIDIA Unheard Of";
  check_told(judge_deep(facts), {"warning: GPU 1 is slower than the others (memory: 1.90 TB/s "
                                 "beside 3.00 TB/s)"});
}

TEST_CASE("memory has to move six tenths of what its maker promises") {
  DeepFacts facts = sound(1);
  result(facts, of_gpu("memory", 0)).per_second = 0.61 * 3350e9;
  check_told(judge_deep(facts), {});
  result(facts, of_gpu("memory", 0)).per_second = 0.59 * 3350e9;
  check_told(judge_deep(facts), {"warning: the memory of GPU 0 moves 1.98 TB/s, 59 % of what a"});
}

TEST_CASE("a GPU of which nothing is known is only measured") {
  DeepFacts facts = sound(2);
  facts.instance_type = "";
  for (ProbedGpu& gpu : facts.report.gpus) gpu.name = "NVIDIA Unheard Of";
  for (ProbeResult& one : facts.report.results) one.per_second /= 1000;
  check_told(judge_deep(facts), {});
}

TEST_CASE("a GPU that computes slower than those beside it is a warning") {
  DeepFacts facts = sound(8);
  result(facts, of_gpu("product", 5)).per_second = 45e12 * 0.76;
  check_told(judge_deep(facts), {});
  result(facts, of_gpu("product", 5)).per_second = 45e12 * 0.74;
  check_told(judge_deep(facts), {"warning: GPU 5 is slower than the others (product: 33.3 TFLOPS "
                                 "beside 45.0 TFLOPS)"});
  facts = sound(2);  // of two the faster one is the measure
  result(facts, of_gpu("tensor product", 0)).per_second = 100e12;
  check_told(judge_deep(facts), {"warning: GPU 0 is slower than the others (tensor product"});
}

TEST_CASE("the middle one is the measure, not the fastest and not the slowest") {
  DeepFacts facts = sound(4);
  result(facts, of_gpu("product", 2)).per_second = 90e12;
  check_told(judge_deep(facts), {});
  facts = sound(4);
  result(facts, of_gpu("product", 2)).per_second = 10e12;
  result(facts, of_gpu("product", 3)).per_second = 90e12;
  check_told(judge_deep(facts), {"warning: GPU 2 is slower than the others (product: 10.0 TFLOPS "
                                 "beside 45.0 TFLOPS)"});
}

TEST_CASE("GPUs that differ have the slowest and the fastest figure") {
  DeepFacts facts = sound(2);
  result(facts, of_gpu("memory", 1)).per_second = 2.9e12;
  result(facts, copy(1, 0)).per_second = 340e9;
  const std::string text = judge_deep(facts).text;
  CHECK(text.find("· memory 2.90 TB/s to 3.00 TB/s ·") != std::string::npos);
  CHECK(text.find("· between GPUs 340 GB/s to 360 GB/s ·") != std::string::npos);
}

TEST_CASE("GPUs that CUDA does not show to the probe are a warning") {
  DeepFacts facts = sound(3);
  facts.gpus = 4;
  check_told(judge_deep(facts), {"warning: CUDA shows trainit-gpu-probe 3 of 4 GPUs"});
  facts.report.failures = {failure(of_gpu("start", 3), "cuDevicePrimaryCtxRetain", 214)};
  check_told(judge_deep(facts), {"error: GPU 3 failed (start: cuDevicePrimaryCtxRetain"});
}

TEST_CASE("copies between GPUs have to come to half of NVLink, and sums to four tenths") {
  DeepFacts facts = sound(2);
  const ProbeStep sum{"all-reduce", {}, {}, 0};  // of two GPUs the bus has what each of them adds
  result(facts, copy(0, 1)).per_second = 0.51 * 450e9;
  result(facts, sum).per_second = 0.41 * 450e9;
  check_told(judge_deep(facts), {});
  result(facts, copy(0, 1)).per_second = 0.49 * 450e9;
  result(facts, sum).per_second = 0.39 * 450e9;
  check_told(judge_deep(facts),
             {"warning: the copy from GPU 0 to GPU 1 moves 220 GB/s, and NVLink of ml.p5.48xlarge",
              "warning: the all-reduce has a bus bandwidth of 176 GB/s, 39 % of NVLink's"});
}

TEST_CASE("what a GPU copies within its own memory is not NVLink's") {
  DeepFacts facts = sound(2);
  result(facts, copy(1, 1)).per_second = 100e9;
  check_told(judge_deep(facts), {});
}

TEST_CASE("links and sums that are slow for the instance type are warnings") {
  DeepFacts facts = sound(4);
  result(facts, copy(2, 3)).per_second = 20e9;
  result(facts, {"all-reduce", {}, {}, 0}).per_second = 100e9;
  check_told(judge_deep(facts),
             {"warning: the copy from GPU 2 to GPU 3 moves 20 GB/s, and NVLink of ml.p5.48xlarge "
              "450 GB/s",
              "warning: the all-reduce has a bus bandwidth of 150 GB/s, 33 % of NVLink's 450 GB/s "
              "of ml.p5.48xlarge"});
  facts.instance_type = "ml.p3.16xlarge";  // not each GPU is linked with each other one
  result(facts, {"all-reduce", {}, {}, 0}).per_second = 80e9;
  check_told(judge_deep(facts), {});
  facts.instance_type = "ml.g5.12xlarge";  // has no NVLink
  check_told(judge_deep(facts), {});
}

TEST_CASE("memory that is taken before the job is a warning") {
  DeepFacts facts = sound(2);
  facts.report.gpus[1].free = 40'000'000'000;
  check_told(judge_deep(facts),
             {"warning: 41.9 GB of 79.2 GB of GPU 1's memory are in use before the job starts"});
  facts.report.gpus[1].free = 77'000'000'000;  // a context of CUDA takes half a gigabyte by itself
  check_told(judge_deep(facts), {});
  facts.report.gpus[1].free = 76'000'000'000;
  check_told(judge_deep(facts), {"warning: 8.4 GB of 79.2 GB of GPU 1's memory are in use"});
}

TEST_CASE("the bus bandwidth is that of NCCL's own tests") {
  CHECK(bus_speed(100, 8) == 175);
  CHECK(bus_speed(100, 2) == 100);
  CHECK(bus_speed(100, 1) == 0);
}

TEST_CASE("a GPU's memory is known by its whole name") {
  CHECK(expected_memory_speed("NVIDIA H100 80GB HBM3") == 3350e9);
  CHECK(expected_memory_speed("Tesla V100-SXM2-16GB") == 900e9);
  CHECK(expected_memory_speed("Tesla V100-SXM2-32GB") == 900e9);
  CHECK(expected_memory_speed("Tesla T4") == 320e9);
  CHECK(expected_memory_speed("NVIDIA L4") == 300e9);
  CHECK(expected_memory_speed("NVIDIA L40S") == 864e9);
  CHECK(expected_memory_speed("NVIDIA A10G") == 600e9);
  CHECK(expected_memory_speed("NVIDIA A100-SXM4-40GB") == 1555e9);
  CHECK(expected_memory_speed("NVIDIA A100-SXM4-80GB") == 2039e9);
  CHECK(expected_memory_speed("NVIDIA H200") == 4800e9);
  CHECK(expected_memory_speed("NVIDIA RTX PRO 6000 Blackwell Server Edition") == 1597e9);
  CHECK(expected_memory_speed("NVIDIA B200") == 8000e9);
  CHECK(expected_memory_speed("NVIDIA B300 SXM6 AC") == 8000e9);
  for (const char* other : {"NVIDIA A100-SXM4-40GB MIG 1g.5gb", "NVIDIA L40", "NVIDIA H200 NVL",
                            "NVIDIA H100 PCIe", "NVIDIA H200 PCIe", "NVIDIA", "", "NVIDIA B2000"})
    CHECK_FALSE(expected_memory_speed(other));
}

TEST_CASE("the links of an instance type are known with and without ml.") {
  REQUIRE(expected_link_speed("ml.p4d.24xlarge"));
  CHECK(expected_link_speed("ml.p4d.24xlarge")->bytes == 300e9);
  CHECK(expected_link_speed("p4d.24xlarge")->switched);
  for (const char* type : {"p3.8xlarge", "p3.16xlarge", "p3dn.24xlarge"})
    CHECK_FALSE(expected_link_speed(type)->switched);
  CHECK(expected_link_speed("p3.8xlarge")->bytes == 100e9);
  CHECK(expected_link_speed("p3.16xlarge")->bytes == 150e9);
  for (const char* type : {"p5.48xlarge", "p5e.48xlarge", "p5en.48xlarge"})
    CHECK(expected_link_speed(type)->bytes == 450e9);
  for (const char* type : {"p6-b200.48xlarge", "p6-b300.48xlarge", "p6e-gb200.36xlarge"})
    CHECK(expected_link_speed(type)->bytes == 900e9);
  for (const char* other : {"", "ml.", "ml.g5.48xlarge", "ml.p5.4xlarge"})
    CHECK_FALSE(expected_link_speed(other));
}
