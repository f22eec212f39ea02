// The answers about accelerators, of the GPU helper, also while it watches, of nvidia-smi and of
// neuron-ls, and what CUDA_VISIBLE_DEVICES chooses: any text is an error or gives devices in order,
// with texts that fit on a line of the log and numbers that a device can have.

#include <algorithm>

#include "base/text.h"
#include "hardware/describe.h"
#include "hardware/driver_query.h"
#include "hardware/neuron.h"
#include "hardware/nvidia_smi.h"
#include "hardware/visible_devices.h"
#include "hardware/watch_line.h"
#include "must.h"

using namespace trainit;
using fuzz::must;

namespace {

bool fits_a_line(std::string_view text) { return fuzz::is_one_line(text) && fuzz::is_utf8(text); }

void check_device(const Gpu& gpu) {
  must(fits_a_line(gpu.name) && fits_a_line(gpu.uuid) && fits_a_line(gpu.pci),
       "a device's texts fit on a line");
  must(gpu.compute_major >= 0 && gpu.compute_minor >= 0, "a compute capability is not negative");
  must(gpu.memory <= std::uint64_t{1} << 52, "a device has a possible amount of memory");
}

void check_texts(const Gpus& gpus) {
  must(fits_a_line(gpus.driver_version) && fits_a_line(gpus.cuda_version),
       "versions fit on a line");
  Hardware hardware;
  hardware.gpus = gpus;
  must(fits_a_line(hardware::describe(hardware)), "hardware is described on one line");
  const std::string table = hardware::to_table(gpus);
  const auto lines = static_cast<std::size_t>(std::count(table.begin(), table.end(), '\n'));
  must(lines == 2 + gpus.devices.size(), "the table has a line a device");
  const Result<Json> json = Json::parse(dump_json(hardware::to_json(gpus)));
  must(json.has_value() && json->find("count")->to_int64() == gpus.count(),
       "the devices can be written as JSON");
}

void check(const Result<Gpus>& answer) {
  if (!answer) {
    const std::string& message = answer.error().message;
    return must(!message.empty() && fits_a_line(message) && message.size() < 1000,
                "an answer that is none gives one sentence");
  }
  int index = 0;
  for (const Gpu& gpu : answer->devices) {
    must(gpu.index == index++, "devices are counted from 0");
    check_device(gpu);
  }
  for (const std::string& warning : answer->warnings) {
    must(fits_a_line(warning), "a warning fits on a line");
  }
  check_texts(*answer);
}

void check_visible(const std::vector<Gpu>& devices, std::string_view value) {
  std::vector<std::string> warnings;
  const std::vector<Gpu> visible = hardware::visible_devices(devices, value, warnings);
  must(visible.size() <= split(value, ',').size(), "no more are visible than the value names");
  must(!devices.empty() || visible.empty(), "where nothing is nothing is visible");
  for (std::size_t i = 0; i < visible.size(); ++i) {
    must(visible[i].index == static_cast<int>(i), "what is visible is counted from 0");
  }
}

void check_watch_line(const hardware::watch::Device& device) {
  must(fits_a_line(device.pci) && fits_a_line(device.uuid) && device.number >= 0,
       "a watched device's texts fit on a line");
}
void check_watch_line(const hardware::watch::Sample& sample) {
  check_watch_line(sample.device);
  must(sample.temperature.value_or(0) >= 0 && sample.power.value_or(0) >= 0 &&
           sample.busy.value_or(0) >= 0 && sample.busy.value_or(0) <= 100 &&
           sample.memory_errors >= 0 && sample.memory_used <= std::uint64_t{1} << 52,
       "a sample has numbers that a GPU can have");
}
void check_watch_line(const hardware::watch::Xid& xid) {
  check_watch_line(xid.device);
  must(xid.number > 0, "an XID is a number");
}
void check_watch_line(const hardware::watch::Lost& lost) { check_watch_line(lost.device); }
void check_watch_line(const hardware::watch::CannotWatch& why) {
  must(fits_a_line(why.reason) && !why.reason.empty() && why.reason.size() < 1000,
       "why nobody can watch is one sentence");
}
void check_watch_line(const hardware::watch::Started& started) {
  must(started.gpus >= 0 && started.with_events >= 0, "there are not less than no GPUs");
}
void check_watch_line(const hardware::watch::Sampled&) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  // A first line "=0,2" is a value of CUDA_VISIBLE_DEVICES.
  const std::size_t head = input.starts_with('=') ? std::min(input.find('\n'), size - 1) + 1 : 0;
  const std::string_view answer = input.substr(head);
  const std::string_view visible = head == 0 ? "" : trim(input.substr(1, head - 1));
  for (const Result<Gpus>& gpus :
       {hardware::parse_driver_answer(answer), hardware::parse_nvidia_smi(answer)}) {
    check(gpus);
    if (gpus) check_visible(gpus->devices, visible);
  }
  if (const auto line = hardware::watch::parse(answer))
    std::visit([](const auto& what) { check_watch_line(what); }, *line);
  must(hardware::sum_of_neuron_cores(answer).value_or(0) >= 0,
       "there are not less than no NeuronCores");
  return 0;
}
