#include "check/visibility.h"

#include "hardware/machine.h"
#include "told.h"

using namespace trainit;
using namespace trainit::check;

namespace {

std::vector<Gpu> gpus(int count) {
  std::vector<Gpu> all(static_cast<std::size_t>(count));
  for (int index = 0; index < count; ++index) {
    all[static_cast<std::size_t>(index)].index = index;
    all[static_cast<std::size_t>(index)].uuid = "GPU-" + std::to_string(index) + "a";
  }
  return all;
}

VisibilityFacts with_choice(const char* value, int count = 4) {
  VisibilityFacts facts;
  facts.cuda = value;
  facts.all = gpus(count);
  facts.found = 1;
  return facts;
}

}  // namespace

TEST_CASE("what CUDA_VISIBLE_DEVICES chooses, against what is there") {
  struct Case {
    const char* value;
    std::vector<std::string> told;
  };
  const Case cases[] = {
      {"0,3", {}},
      {"GPU-0a,GPU-1a", {}},
      {" 1 , 2 ", {}},
      {"0,4", {"warning: CUDA_VISIBLE_DEVICES=0,4 names 4, and this container has 4 GPUs"}},
      {"4,0", {"error: CUDA_VISIBLE_DEVICES=4,0 names 4"}},
      {"GPU-9", {"error: CUDA_VISIBLE_DEVICES=GPU-9 names GPU-9"}},
      {"0,x", {"warning: CUDA_VISIBLE_DEVICES=0,x names x"}},
      {"0,1,,3", {"warning: CUDA_VISIBLE_DEVICES=0,1,,3 names nothing in one place, and"}},
      {"0,1,", {}},
      {"", {"warning: CUDA_VISIBLE_DEVICES= hides all 4 GPUs"}},
      {"-1", {"warning: CUDA_VISIBLE_DEVICES=-1 hides all 4 GPUs"}},
      {"NoDevFiles", {"warning: CUDA_VISIBLE_DEVICES=NoDevFiles hides all 4 GPUs"}},
      {"none,0", {"warning: CUDA_VISIBLE_DEVICES=none,0 hides all 4 GPUs"}},
      {"+9", {"error: CUDA_VISIBLE_DEVICES=+9 names +9"}},
      {"0,GPU-1a", {"warning: CUDA_VISIBLE_DEVICES=0,GPU-1a has numbers and UUIDs"}},
      {"1,1", {"error: CUDA_VISIBLE_DEVICES=1,1 has an entry twice"}},
      {"1,01", {"error: CUDA_VISIBLE_DEVICES=1,01 has an entry twice"}},
      {"MIG-1,MIG-2", {"warning: CUDA_VISIBLE_DEVICES has 2 MIG instances"}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.value);
    check_told(judge_visibility(with_choice(one.value)), one.told);
  }
}

TEST_CASE("without GPUs, or without knowing them, only the form is judged") {
  check_told(judge_visibility(with_choice("", 0)), {});
  check_told(judge_visibility(with_choice("7", 0)), {});
  VisibilityFacts unknown = with_choice("7");
  unknown.all.reset();
  check_told(judge_visibility(unknown), {});
  unknown.cuda = "7,7";
  check_told(judge_visibility(unknown), {"error: CUDA_VISIBLE_DEVICES=7,7 has an entry twice"});
}

TEST_CASE("GPUs of a container count from 0, whichever of the machine they are") {
  VisibilityFacts facts = with_choice("2,3", 2);
  facts.nvidia = "2,3";
  const AreaReport report = judge_visibility(facts);
  check_told(report, {"error: CUDA_VISIBLE_DEVICES=2,3 names 2"});
  CHECK(report.findings[0].remedy.find("count from 0") != std::string::npos);
}

TEST_CASE("isolated workers get one MIG instance each") {
  VisibilityFacts facts = with_choice("MIG-1,MIG-2");
  facts.isolated = true;
  check_told(judge_visibility(facts), {});
}

TEST_CASE("a container that was given nothing, and sees GPUs all the same") {
  VisibilityFacts facts;
  facts.nvidia = "void";
  facts.all = gpus(1);
  facts.found = 1;
  check_told(judge_visibility(facts), {"note: NVIDIA_VISIBLE_DEVICES=void, and 1 GPUs"});
  facts.all = gpus(0);
  check_told(judge_visibility(facts), {});
}

TEST_CASE("a GPU that is divided into nothing is told of where no other is found") {
  const Machine machine;
  machine.make("proc/driver/nvidia/capabilities/gpu0/mig");
  machine.make("proc/driver/nvidia/capabilities/gpu1/mig/gi7");
  machine.make("proc/driver/nvidia/capabilities/mig");
  Subject subject;
  subject.roots.system = machine.roots();
  VisibilityFacts facts = visibility_facts(subject, false);
  CHECK(facts.empty_mig == std::vector<std::string>{"gpu0"});
  check_told(judge_visibility(facts), {"warning: MIG seems to be on for gpu0"});
  facts.found = 1;
  check_told(judge_visibility(facts), {});
}
