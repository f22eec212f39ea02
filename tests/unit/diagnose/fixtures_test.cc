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
    {"java_caused_by",
     "java.lang.IllegalStateException: no training data, caused by java.io.FileNotFoundException: "
     "/opt/ml/input/data/train/digits.csv (No such file or directory)",
     "Train.java:5"},
    {"java_crash",
     "the Java virtual machine crashed: SIGSEGV (0xb) in V  [libjvm.so+0xed2f94]  "
     "Unsafe_PutLong+0x124",
     ""},
    {"java_exception", "java.lang.IllegalArgumentException: learning rate must be positive",
     "Train.java:3"},
    {"java_executor", "java.lang.ArithmeticException: loss is nan", "Train.java:3"},
    {"java_logged", "java.lang.ArithmeticException: loss is nan", "Train.java:2"},
    {"java_multi_line",
     "java.lang.RuntimeException: 2 problems in config.yaml: epochs: not a number", "Train.java:7"},
    {"java_no_class",
     "Could not find or load main class Trian, caused by java.lang.ClassNotFoundException: Trian",
     ""},
    {"java_no_memory",
     "There is insufficient memory for the Java Runtime Environment to continue. Native memory "
     "allocation (mmap) failed to map 2147483648000 bytes. Error detail: committing reserved "
     "memory.",
     ""},
    {"java_out_of_memory", "java.lang.OutOfMemoryError: Java heap space", "Train.java:3"},
    {"java_python",
     "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 "
     "column 2 (char 1)",
     "<string>:1"},
    {"java_static", "java.lang.NumberFormatException: For input string: \"ten\"", "Train.java:3"},
    {"java_thread", "java.lang.IllegalStateException: disk is gone", "Train.java:3"},
    {"go_deadlock", "fatal error: all goroutines are asleep - deadlock!", "main.go:4"},
    {"go_error", "panic: open /opt/ml/input/data/train/digits.csv: no such file or directory",
     "main.go:5"},
    {"go_goroutine", "panic: runtime error: index out of range [2] with length 2", "main.go:3"},
    {"go_library", "panic: strings: negative Repeat count", "main.go:3"},
    {"go_map", "fatal error: concurrent map writes", "main.go:6"},
    {"go_multi_line", "panic: 2 problems in config.yaml: epochs: not a number", "main.go:3"},
    {"go_nil", "panic: runtime error: invalid memory address or nil pointer dereference",
     "main.go:3"},
    {"go_panic", "panic: learning rate must be positive", "main.go:4"},
    {"go_python",
     "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 "
     "column 2 (char 1)",
     "<string>:1"},
    {"go_recovered", "panic: training failed: loss is nan", "main.go:7"},
    {"rust_assert",
     "thread 'main' panicked: assertion failed: `(left == right)` left: `2`, right: `3`: the "
     "shapes differ",
     "main.rs:2"},
    {"rust_backtrace",
     "thread 'main' panicked: index out of bounds: the len is 2 but the index is 9", "main.rs:1"},
    {"rust_double_panic", "thread 'main' panicked: loss is nan", "main.rs:7"},
    {"rust_new_assert",
     "thread 'main' panicked: assertion `left == right` failed: the shapes differ left: 2 right: 3",
     "main.rs:2"},
    {"rust_new_backtrace",
     "thread 'main' panicked: index out of bounds: the len is 2 but the index is 9", "main.rs:1"},
    {"rust_new_double_panic", "thread 'main' panicked: loss is nan", "main.rs:7"},
    {"rust_new_panic", "thread 'main' panicked: learning rate must be positive", "main.rs:3"},
    {"rust_new_stack_overflow", "thread 'main' has overflowed its stack", ""},
    {"rust_new_thread", "thread 'loader' panicked: shard 0 is empty", "main.rs:2"},
    {"rust_new_unwrap",
     "thread 'main' panicked: called `Result::unwrap()` on an `Err` value: ParseIntError { kind: "
     "InvalidDigit }",
     "main.rs:2"},
    {"rust_panic", "thread 'main' panicked: learning rate must be positive", "main.rs:3"},
    {"rust_stack_overflow", "thread 'main' has overflowed its stack", ""},
    {"rust_thread", "thread 'loader' panicked: shard 0 is empty", "main.rs:2"},
    {"rust_unwrap",
     "thread 'main' panicked: called `Result::unwrap()` on an `Err` value: ParseIntError { kind: "
     "InvalidDigit }",
     "main.rs:2"},
    {"r_crash", "caught segfault: address 0x39bd, cause 'unknown'", ""},
    {"r_long_call",
     "Error in load_shards(directory = \"/opt/ml/input/data/train\", pattern = \"[.]csv$\",  : no "
     "training data in /opt/ml/input/data/train",
     ""},
    {"r_multi_line", "Error: 2 problems in config.yaml: epochs: not a number", ""},
    {"r_no_call", "Error: no training data", ""},
    {"r_object", "Error in print(epochs + 1) : object 'epochs' not found", ""},
    {"r_source", "Error in make_optimizer(-1) : learning rate must be positive", ""},
    {"r_stop", "Error in make_optimizer(-1) : learning rate must be positive", ""},
    {"r_syntax", "Error: unexpected numeric constant in \"rate <- 0.1 0.2\"", ""},
    {"r_warning", "Error in if (rate > 0) print(\"never\") : missing value where TRUE/FALSE needed",
     ""},
    {"julia_caused_by",
     "ArgumentError: checkpoint is incomplete, caused by KeyError: key \"weights\" not found",
     "train.jl:3"},
    {"julia_crash", "signal (11.1): Segmentation fault", "train.jl:3"},
    {"julia_error", "ERROR: learning rate must be positive", "train.jl:2"},
    {"julia_method", "MethodError: no method matching make_optimizer(::String)", "train.jl:2"},
    {"julia_old_form", "UndefVarError: epochs not defined", "train.jl:1"},
    {"julia_task",
     "DimensionMismatch: arrays could not be broadcast to a common size; got a dimension with "
     "lengths 3 and 4",
     "model.jl:7"},
    {"mpi_abort", "MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD with errorcode 3",
     ""},
    {"mpi_exit", "mpirun: rank 1 ended with exit code 3", ""},
    {"mpi_invalid_rank", "MPI_Send: MPI_ERR_RANK: invalid rank", ""},
    {"mpi_killed", "mpirun: process rank 1 on node algo-1 exited on signal 9 (Killed)", ""},
    {"mpi_no_program",
     "mpirun was unable to launch the specified application as it could not access or execute an "
     "executable: Executable: ./trian",
     ""},
    {"mpi_signal", "Segmentation fault (11)", ""},
    {"mpi_slots",
     "There are not enough slots available in the system to satisfy the 2 slots that were "
     "requested by the application: /bin/true",
     ""},
    {"mpi_terminate", "std::runtime_error: cannot open digits.csv", ""},
    {"mpi_traceback", "ValueError: learning rate must be positive", "train.py:3"},
    {"mpich_abort",
     "Abort(3) on node 0 (rank 0 in comm 0): application called MPI_Abort(MPI_COMM_WORLD, 3) - "
     "process 0",
     ""},
    {"mpich_invalid_rank",
     "Fatal error in internal_Send: Invalid rank: Invalid rank has value 5 but must be nonnegative "
     "and less than 2",
     ""},
    {"mpich_signal",
     "Caught signal 11 (Segmentation fault: tkill(2) or tgkill(2) at address 0x5dd)", ""},
    {"process_pool", "ValueError: bad record", "train.py:3"},
    {"process_killed",
     "concurrent.futures.process.BrokenProcessPool: A process in the process pool was terminated "
     "abruptly while the future was running or pending.",
     "train.py:5"},
    {"asyncio_task", "ValueError: learning rate must be positive", "train.py:9"},
    {"asyncio_left", "ValueError: loss is nan", "train.py:10"},
    {"called_java", "java.lang.IllegalStateException: no such table", "Train.java:1"},
    {"torch_loader_killed",
     "RuntimeError: DataLoader worker (pid 1688) is killed by signal: Killed.", "train.py:5"},
};

/// Programs whose last words are plain text: nothing that a recogniser could know.
constexpr Expected kPlain[] = {
    {"exit_message", "no training data in /opt/ml/input/data/train", ""},
    {"argparse", "train.py: error: argument --epochs: invalid int value: 'ten'", ""},
    {"go_log_fatal", "no training data in /opt/ml/input/data/train", ""},
    {"rust_main_error", "Error: ParseIntError { kind: InvalidDigit }", ""},
    {"rust_new_main_error", "Error: ParseIntError { kind: InvalidDigit }", ""},
    {"r_caught", "Error in try(stop(\"no such shard\")) : no such shard", ""},
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
    CHECK_FALSE(error->only_last_lines());
    CHECK_FALSE(error->detail.empty());
  }
}

TEST_CASE("what real programs print with their error is no sign that they went on") {
  for (const Expected& expected : kExpected) {
    CAPTURE(std::string(expected.name));
    // The bytes around the fault, and torchrun's report about its workers, are long.
    const std::string name = expected.name;
    const bool much = name == "address_sanitizer" || name == "torch2_torchrun";
    CHECK(find_error(read(expected.name))->last_words() == !much);
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
    CHECK(error->only_last_lines());
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
