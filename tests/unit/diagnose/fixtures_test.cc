#include <doctest/doctest.h>

#include <algorithm>

#include "diagnose/error_text.h"
#include "sys/files.h"

using namespace trainit;
using namespace trainit::diagnose;

namespace {

struct Expected {
  const char* name;
  const char* summary;
  const char* location;
  bool communication = false;
};

/// What real programs printed when they failed; tests/fixtures/errors/capture makes the files.
constexpr Expected kExpected[] = {
    {"value_error", "ValueError: learning rate must be positive", "train.py:3"},
    {"no_message", "AssertionError", "train.py:1"},
    {"multi_line", "ConfigError: 2 problems in config.yaml: - epochs: not a number", "train.py:2"},
    {"empty_first_line", "RuntimeError: An attempt has been made to start a new process",
     "train.py:1"},
    {"chained_context", "RuntimeError: checkpoint is incomplete", "train.py:6"},
    {"chained_cause", "SystemError: no training data", "train.py:6"},
    {"cleanup_after_error", "ValueError: loss is nan", "train.py:2"},
    {"recursion", "RecursionError: maximum recursion depth exceeded", "train.py:2"},
    {"exception_group",
     "ExceptionGroup: 2 shards failed (2 sub-exceptions): ValueError: shard 0 is empty",
     "train.py:2"},
    {"syntax_error", "SyntaxError: invalid syntax", "train.py:1"},
    {"indentation_error",
     "IndentationError: expected an indented block after function definition on line 1",
     "train.py:2"},
    {"thread", "OSError: disk is gone", "train.py:3"},
    {"thread_and_main", "ValueError: learning rate must be positive", "train.py:5"},
    {"process", "ValueError: bad record", "train.py:3"},
    {"pool", "ValueError: bad record", "train.py:3"},
    {"called_process",
     "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 "
     "column 2 (char 1)",
     "<string>:1"},
    {"ignored_at_exit", "ValueError: learning rate must be positive", "train.py:5"},
    {"keyboard_interrupt", "KeyboardInterrupt", "train.py:2"},
    {"segmentation_fault", "Fatal Python error: Segmentation fault", "train.py:4"},
    {"progress_bar", "ValueError: loss is nan", "train.py:5"},
    {"rank_prefix", "ValueError: loss is nan", "train.py:3"},
    {"non_ascii", "ValueError: Größe «π» 学習率 ist kein Maß", "train.py:1"},
    {"torch_data_loader", "ValueError: sample 0 has no label", "train.py:4"},
    {"torch_spawn", "ValueError: learning rate must be positive", "train.py:3"},
    {"torch_state_dict",
     "RuntimeError: Error(s) in loading state_dict for Linear: size mismatch for weight: copying a "
     "param with shape torch.Size([4, 2]) from checkpoint, the shape in current model is "
     "torch.Size([3, 2]).",
     "train.py:2"},
    {"torch_peer_gone",
     "RuntimeError: [./gloo/transport/tcp/pair.cc:598] Connection closed by peer [127.0.0.1]:44935",
     "train.py:10", true},
    {"torch_store_timeout", "RuntimeError: Socket Timeout", "train.py:4", true},
    {"torch_connection_refused",
     "TimeoutError: The client socket has timed out after 1s while trying to connect to "
     "(127.0.0.1, 1).",
     "train.py:4", true},
    {"torch2_peer_gone",
     "RuntimeError: [/__w/pytorch/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:561] "
     "Connection closed by peer [127.0.0.1]:179. This is typically caused by a remote worker "
     "crashing. Check the logs of the remote worker before reporting an error. GLHF! 🏖️",
     "train.py:10", true},
    {"torch2_store_timeout",
     "torch.distributed.DistStoreError: wait timeout after 1000ms, keys: /rank0", "train.py:4",
     true},
    {"torch2_connection_refused",
     "torch.distributed.DistNetworkError: The client socket has timed out after 1000ms while "
     "trying "
     "to connect to (127.0.0.1, 1).",
     "train.py:4", true},
    {"torch2_excepthook", "ValueError: learning rate must be positive", "train.py:5"},
    {"torch2_store_gone",
     "torch.distributed.DistNetworkError: Failed to recv, got 0 bytes. Connection was likely "
     "closed. Did the remote server shutdown or crash?",
     "train.py:16", true},
    {"torch2_torchrun", "ValueError: learning rate must be positive", "train.py:3"},
    {"torch2_no_driver",
     "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA "
     "GPU "
     "and installed a driver from http://www.nvidia.com/Download/index.aspx",
     "train.py:2"},
    {"rich_box",
     "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
     "train.py:5"},
    {"rich_chain", "RuntimeError: config is broken", "train.py:6"},
    {"cpp_terminate", "std::runtime_error: cannot open digits.csv", ""},
    {"cpp_terminate_lines", "std::logic_error: tensor has no storage", ""},
    {"cpp_terminate_int", "uncaught int", ""},
    {"cpp_thread_left", "terminate called without an active exception", ""},
    {"cpp_assert", "Assertion `argc > 5' failed", "main.cc:2"},
    {"glibc_stack_smashing", "*** stack smashing detected ***: terminated", ""},
    {"glibc_double_free", "free(): double free detected in tcache 2", ""},
    {"glibc_invalid_pointer", "free(): invalid pointer", ""},
    {"address_sanitizer", "AddressSanitizer: heap-buffer-overflow /opt/ml/code/main.cc:2 in main",
     "main.cc:2"},
};

/// Programs whose last words are plain text: nothing that a recogniser could know.
constexpr Expected kPlain[] = {
    {"exit_message", "no training data in /opt/ml/input/data/train", ""},
    {"argparse", "train.py: error: argument --epochs: invalid int value: 'ten'", ""},
};

std::string read(const char* name) {
  return sys::read_file(TRAINIT_ERROR_FIXTURES + std::string(name) + ".txt").value();
}

}  // namespace

TEST_CASE("the error that real programs printed is found, with its place in the user's code") {
  for (const Expected& expected : kExpected) {
    CAPTURE(std::string(expected.name));
    const auto error = find_error(read(expected.name));
    REQUIRE(error);
    CHECK(error->summary == expected.summary);
    CHECK(error->location == expected.location);
    CHECK(error->communication == expected.communication);
    CHECK_FALSE(error->only_last_lines);
    CHECK_FALSE(error->detail.empty());
  }
}

TEST_CASE("a program that only printed a sentence is heard by its last line") {
  for (const Expected& expected : kPlain) {
    CAPTURE(std::string(expected.name));
    const std::string output = read(expected.name);
    CHECK_FALSE(find_error(output));
    const auto error = last_lines(output);
    REQUIRE(error);
    CHECK(error->summary == expected.summary);
    CHECK(error->only_last_lines);
  }
}

TEST_CASE("every captured output has its line in these tables") {
  const auto names = sys::list_directory(TRAINIT_ERROR_FIXTURES);
  REQUIRE(names);
  for (const std::string& file : *names) {
    if (!file.ends_with(".txt")) continue;
    CAPTURE(file);
    const auto is_it = [&](const Expected& expected) {
      return file == expected.name + std::string(".txt");
    };
    CHECK((std::any_of(std::begin(kExpected), std::end(kExpected), is_it) ||
           std::any_of(std::begin(kPlain), std::end(kPlain), is_it)));
  }
}

TEST_CASE("real output is understood after other output, and before the noise of the end") {
  std::string before;
  for (int i = 0; i < 300; ++i) before += "epoch " + std::to_string(i) + " loss: 0.1\n";
  for (const Expected& expected : kExpected) {
    CAPTURE(std::string(expected.name));
    const auto error = find_error(before + read(expected.name) + "\nsee you\n");
    REQUIRE(error);
    CHECK(error->summary == expected.summary);
    CHECK(error->detail.find("epoch 299") == std::string::npos);
  }
}
