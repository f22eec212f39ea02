#include "diagnose/error_text.h"

#include <doctest/doctest.h>

#include <random>

#include "base/utf8.h"

using namespace trainit;
using namespace trainit::diagnose;

namespace {

constexpr const char* kTraceback =
    "Traceback (most recent call last):\n"
    "  File \"/opt/ml/code/train.py\", line 42, in make_optimizer\n"
    "    raise ValueError(\"learning rate must be positive\")\n"
    "ValueError: learning rate must be positive\n";

constexpr const char* kClosed =
    "Traceback (most recent call last):\n"
    "  File \"/opt/ml/code/train.py\", line 60, in step\n"
    "    loss.backward()\n"
    "RuntimeError: Connection closed by peer [10.0.0.1]:4711\n";

std::string summary_of(std::string_view output) {
  const auto error = find_error(output);
  return error ? error->summary : "nothing";
}

bool communicates(std::string_view output) {
  const auto error = find_error(output);
  return error && error->communication;
}

std::string repeat(std::string_view text, std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) result += text;
  return result;
}

}  // namespace

TEST_CASE("a traceback gives summary, place, frame and its own block") {
  const auto error = find_error(std::string("epoch 1\n") + kTraceback);
  REQUIRE(error);
  CHECK(error->summary == "ValueError: learning rate must be positive");
  CHECK(error->location == "train.py:42");
  CHECK(error->frame == "File \"/opt/ml/code/train.py\", line 42, in make_optimizer");
  CHECK(error->detail + "\n" == kTraceback);
}

TEST_CASE("the place is the deepest frame of the user's own code") {
  const auto error = find_error(
      "Traceback (most recent call last):\n"
      "  File \"<frozen runpy>\", line 198, in _run_module_as_main\n"
      "  File \"/opt/ml/code/model/net.py\", line 7, in forward\n"
      "    return self.layer(x)\n"
      "  File \"/opt/conda/lib/python3.10/site-packages/torch/nn/modules/module.py\", line 1518, "
      "in _call\n"
      "    return forward_call(*args)\n"
      "RuntimeError: mat1 and mat2 shapes cannot be multiplied\n");
  REQUIRE(error);
  CHECK(error->location == "net.py:7");
}

TEST_CASE("a syntax error in an imported file is placed in that file") {
  const auto error = find_error(
      "Traceback (most recent call last):\n"
      "  File \"/opt/ml/code/train.py\", line 3, in <module>\n"
      "    import model\n"
      "  File \"/opt/ml/code/model.py\", line 9\n"
      "    def f(:\n"
      "          ^\n"
      "SyntaxError: invalid syntax\n");
  REQUIRE(error);
  CHECK(error->location == "model.py:9");
}

TEST_CASE("a tail that begins in the middle of a traceback is still understood") {
  const std::string output = kTraceback;
  CHECK(summary_of(output.substr(output.find("  File"))) ==
        "ValueError: learning rate must be positive");
  CHECK(summary_of(output.substr(output.find("    raise"))) == "nothing");
}

TEST_CASE("the last of several tracebacks explains the end") {
  CHECK(summary_of(std::string(kClosed) + "retrying\n" + kTraceback) ==
        "ValueError: learning rate must be positive");
  CHECK(summary_of(std::string(kTraceback) + "skipped this batch\n" + kClosed) ==
        "RuntimeError: Connection closed by peer [10.0.0.1]:4711");
}

TEST_CASE("a broken connection in an exception handler is the end after an everyday exception") {
  const std::string key_error =
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'x'\n";
  const std::string link =
      "\nDuring handling of the above exception, another exception occurred:\n\n";
  CHECK(summary_of(key_error + link + kClosed) ==
        "RuntimeError: Connection closed by peer [10.0.0.1]:4711");
  CHECK(communicates(key_error + link + kClosed));
}

TEST_CASE("an error raised from a broken connection is one of communication") {
  const std::string chain =
      std::string(kClosed) +
      "\nThe above exception was the direct cause of the following exception:\n\n" +
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n"
      "RuntimeError: training failed\n";
  CHECK(summary_of(chain) == "RuntimeError: training failed");
  CHECK(communicates(chain));
}

TEST_CASE("a traceback that every line of which has a prefix is read without it") {
  std::string output;
  for (const char c : std::string(kTraceback)) {
    if (output.empty() || output.back() == '\n') output += "[1,3]<stderr>:";
    output += c;
  }
  const auto error = find_error(output);
  REQUIRE(error);
  CHECK(error->location == "train.py:42");
  CHECK(error->detail + "\n" == kTraceback);
}

TEST_CASE("another thread's lines within a traceback do not end it") {
  CHECK(summary_of("Traceback (most recent call last):\n"
                   "  File \"train.py\", line 1, in main\n"
                   "step: 12\n"
                   "  File \"train.py\", line 9, in f\n"
                   "saving, please wait\n"
                   "    g()\n"
                   "ValueError: boo\n") == "ValueError: boo");
}

TEST_CASE("a printed stack that is no exception is none") {
  CHECK_FALSE(find_error("  File \"train.py\", line 3, in f\n    g()\nepoch: 3\n"));
  CHECK_FALSE(
      find_error("Traceback (most recent call last):\n  File \"train.py\", line 3, in f\n"));
}

TEST_CASE("terminal colours and overwritten text are not part of a message") {
  CHECK(summary_of("50%|###\r60%|###\rTraceback (most recent call last):\r\n"
                   "  File \x1b[35m\"train.py\"\x1b[0m, line \x1b[35m3\x1b[0m, in f\r\n"
                   "\x1b[1;35mValueError\x1b[0m: \x1b[35mboo\x1b[0m\r\n") == "ValueError: boo");
}

TEST_CASE("a C++ exception is named after a Python one only when it is not its consequence") {
  const std::string terminate =
      "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: "
      "unspecified\n";
  CHECK(summary_of(kTraceback + terminate) == "ValueError: learning rate must be positive");
  CHECK(summary_of(kTraceback + repeat("epoch\n", 6 * 100) + terminate) ==
        "c10::Error: CUDA error: unspecified");
}

TEST_CASE("a thread's complaint right after a message is none of it") {
  const auto error = find_error(std::string(kTraceback) +
                                "[W socket.cpp:601] Connection reset by peer\n"
                                "Exception ignored in: <function f at 0x1>\n");
  REQUIRE(error);
  CHECK_FALSE(error->communication);
  CHECK(error->detail.find("ignored") == std::string::npos);
}

TEST_CASE("code of installed packages is not the user's, wherever it lies") {
  const std::string head =
      "Traceback (most recent call last):\n  File \"/a/train.py\", line 3, in f\n";
  for (const char* path :
       {"/venv/lib/python3.12/site-packages/x.py", "/deb/dist-packages/x.py",
        "/usr/lib64/python3.9/json/decoder.py", "<frozen importlib._bootstrap>"}) {
    CAPTURE(std::string(path));
    const auto error = find_error(head + "  File \"" + path + "\", line 7, in g\nValueError: x\n");
    REQUIRE(error);
    CHECK(error->location == "train.py:3");
  }
}

TEST_CASE("an error knows where in the tail it begins") {
  const std::string before = "50%\r60%\r\n\x1b[1mepoch\x1b[0m \xff\n\n";
  CHECK(find_error(before + kTraceback)->offset == before.size());
  CHECK(find_error(kTraceback)->offset == 0);
  const std::string link =
      "\nThe above exception was the direct cause of the following exception:\n\n";
  CHECK(find_error(before + kTraceback + link + kClosed)->offset == before.size());
}

TEST_CASE("an error after which the program went on is not its last words") {
  CHECK(find_error(kTraceback)->last_words());
  CHECK(find_error(kTraceback + repeat("\nwarning\n", 9 * 5) + repeat("frame #1: f()\n", 1000))
            ->last_words());
  CHECK_FALSE(find_error(kTraceback + std::string("\n") + repeat("epoch\n", 6 * 11))->last_words());
}

TEST_CASE("what a program said long after an error belongs to the account of its end") {
  const std::string survived = kTraceback + std::string("\n") + repeat("epoch\n", 6 * 20);
  const auto error = find_error(survived + "cannot go on\n\n");
  REQUIRE(error);
  CHECK(error->last_line == "cannot go on");
  CHECK(error->detail.ends_with("\n…\nepoch\nepoch\nepoch\nepoch\ncannot go on"));
  CHECK_FALSE(error->communication);
  CHECK(find_error(survived + "Connection closed by peer")->communication);
}

TEST_CASE("an error's block has at most 16 KiB, with what a program said long after it") {
  const std::string long_message =
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nValueError: " +
      repeat("long\n", 5 * 4000);
  const auto error =
      find_error(long_message + repeat("epoch\n", 6 * 20) + repeat("last ", 5 * 2000) + "\n");
  REQUIRE(error);
  REQUIRE_FALSE(error->last_words());
  CHECK(error->detail.size() <= 16 * 1024);
}

TEST_CASE("libc++ names its exceptions in one line") {
  CHECK(summary_of(
            "libc++abi: terminating due to uncaught exception of type std::runtime_error: boo\n") ==
        "std::runtime_error: boo");
}

TEST_CASE("lines of CUDA and NCCL are errors when nothing else is") {
  CHECK(summary_of("Failed: Cuda error main.cu:42 'out of memory'\n") ==
        "Failed: Cuda error main.cu:42 'out of memory'");
  CHECK(find_error("Failed: Cuda error main.cu:42 'out of memory'\n")->location == "main.cu:42");
  CHECK(summary_of("algo-1:32:45 [0] misc/socket.cc:49 NCCL WARN socketStartConnect: Connect to "
                   "10.0.0.2<41999> failed : Connection refused\n") ==
        "NCCL WARN socketStartConnect: Connect to 10.0.0.2<41999> failed : Connection refused");
  CHECK(summary_of(
            "[E ProcessGroupNCCL.cpp:563] [Rank 3] Watchdog caught collective operation timeout: "
            "WorkNCCL(SeqNum=2)\n") ==
        "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=2)");
  CHECK(summary_of("[Rank 3] epoch 1 loss 0.1\n") == "nothing");
  CHECK(summary_of("CUBLAS_STATUS_SUCCESS\n") == "nothing");
  CHECK(summary_of("CUDA error: invalid device ordinal\n" + std::string(kTraceback)) ==
        "ValueError: learning rate must be positive");
}

TEST_CASE(
    "what a trainer says of its communicator is an error, and of others when a rank is gone") {
  const std::string gone =
      "error: the communicator \"world\": NCCL: remote process exited or there was a network "
      "error\n";
  CHECK(summary_of(gone) ==
        "the communicator \"world\": NCCL: remote process exited or there was a network error");
  CHECK(find_error(gone)->communication);
  CHECK_FALSE(
      find_error("the communicator \"world\": NCCL: unhandled cuda error\n")->communication);
}

TEST_CASE("what a log says for information is no error, whatever it speaks of") {
  for (const char* line :
       {"[I ProcessGroupNCCL.cpp:587] [Rank 0] ProcessGroupNCCL initialized with following "
        "options:",
        "[rank0]:[I1127 09:05:00.123456789 ProcessGroupNCCL.cpp:905] [Rank 0] ProcessGroupNCCL "
        "initialization options: size: 2",
        "algo-1:32:45 [0] NCCL INFO [Rank 0] NCCL error handling is on",
        "INFO:root:after CUDA out of memory the batch is 32"}) {
    CAPTURE(std::string(line));
    CHECK(summary_of(line) == "nothing");
  }
  CHECK(summary_of("[E ProcessGroupNCCL.cpp:587] [Rank 0] NCCL watchdog ended") ==
        "[Rank 0] NCCL watchdog ended");
  CHECK(summary_of("INFORMED: CUDA error: x") == "INFORMED: CUDA error: x");
}

TEST_CASE("what a program said after a line about an error was the end of it, and both are kept") {
  const std::string warning =
      "algo-1:32:45 [0] NCCL WARN NET/IB : No device found, using sockets\n";
  const auto error = find_error(warning + "epoch 1\nthe data set has no labels\n\n");
  REQUIRE(error);
  CHECK(error->in_passing());
  CHECK(error->summary == "NCCL WARN NET/IB : No device found, using sockets");
  CHECK(error->last_line == "the data set has no labels");
  CHECK(error->detail == warning + "epoch 1\nthe data set has no labels");
  CHECK(find_error(warning)->last_words());
  CHECK(find_error(warning)->detail + "\n" == warning);
  CHECK_FALSE(find_error(kTraceback + std::string("the data set has no labels\n"))->in_passing());
}

TEST_CASE("the trace of an error and what a launcher says of a program's end are no last words") {
  const std::string warning = "algo-1:32:45 [0] misc/cudawrap.cc:42 NCCL WARN Cuda failure 2\n";
  for (const char* more : {"algo-1:32:45 [0] NCCL INFO init.cc:1501 -> 1\n", "frame #0: f()\n",
                           "the program exited with code 1\n"}) {
    CAPTURE(std::string(more));
    CHECK(find_error(warning + more)->last_words());
  }
}

TEST_CASE("of the lines about one error the first explains it, and of two errors the last one") {
  const std::string first = "a:1:2 [0] NCCL WARN Cuda failure 2\n";
  const std::string last = "Failed: NCCL error main.cu:42 'unhandled cuda error'\n";
  CHECK(summary_of(first + "a:1:2 [0] NCCL INFO init.cc:1 -> 1\n" + last) ==
        "NCCL WARN Cuda failure 2");
  CHECK(find_error(first + last)->last_words());
  CHECK(summary_of(first + "epoch 1\n" + last) + "\n" == last);
}

TEST_CASE("an error in stdout counts when it is heavier than that in stderr, and the last there") {
  const auto closed = find_error("a:1:2 [0] NCCL WARN socketProgress: Connection closed by peer\n");
  const auto raised = find_error(kTraceback);
  CHECK(outweighs(*raised, *closed));
  CHECK_FALSE(outweighs(*closed, *raised));
  CHECK_FALSE(outweighs(*raised, *find_error(kClosed)));
  CHECK_FALSE(
      outweighs(*find_error(kTraceback + std::string("\n") + repeat("epoch\n", 6 * 20)), *closed));
}

TEST_CASE("a line about an error in stdout is told with the last words in stderr") {
  auto error = find_error("NCCL WARN NET/IB : No device found, using sockets\n");
  add_last_words(*error, *last_lines("the program exited with code 1\n"));
  CHECK(error->last_words());
  add_last_words(*error, *last_lines("epoch 1\nthe data set has no labels\n"));
  CHECK(error->in_passing());
  CHECK(error->last_line == "the data set has no labels");
  CHECK(
      error->detail ==
      "NCCL WARN NET/IB : No device found, using sockets\n…\nepoch 1\nthe data set has no labels");
  auto raised = find_error(kTraceback);
  add_last_words(*raised, *last_lines("warning\n"));
  CHECK(raised->last_words());
  CHECK(raised->detail + "\n" == kTraceback);
}

TEST_CASE("the last lines know where in the tail the last one begins") {
  CHECK(last_lines("epoch 1\n\nthe end\n\n")->offset == 9);
  CHECK(last_lines("the end")->offset == 0);
}

TEST_CASE("an error that began before the tail is found in its beginning") {
  const std::string beginning = std::string(kTraceback) + "and of more than";
  const auto error = find_error("what fits\n", beginning);
  REQUIRE(error);
  CHECK(error->summary == "ValueError: learning rate must be positive");
  CHECK(error->location == "train.py:42");
  CHECK(error->offset == ErrorText::kBeforeTail);
  CHECK(error->last_words());
  CHECK(error->detail == beginning + "\n…\nwhat fits");
  const auto survived = find_error(repeat("epoch\n", 6 * 20) + "no data\n", beginning);
  CHECK(survived->last_line == "no data");
  CHECK(survived->detail.size() < beginning.size() + 100);
}

TEST_CASE("an error in the tail goes before one that began earlier and is no heavier") {
  CHECK(find_error(kClosed, kTraceback)->offset == 0);
  CHECK(find_error(kClosed, "CUDA error: x\n")->offset == 0);
  CHECK_FALSE(find_error("epoch 1\n", "CUDA error: x\n"));
  CHECK(find_error("CUDA error: x\n", kTraceback)->summary ==
        "ValueError: learning rate must be positive");
}

TEST_CASE("of a single very long line the beginning is the summary, and the end is kept below") {
  const std::string tail = repeat("x", 64 * 1024) + " the end\n";
  const auto error = last_lines(tail, "epoch 1\nno labels in xxx");
  REQUIRE(error);
  CHECK(error->summary == "no labels in xxx");
  CHECK(error->detail.size() <= 16 * 1024);
  CHECK(error->detail.ends_with(" the end"));
  CHECK(last_lines("epoch 1\nthe end\n", "no labels")->summary == "the end");
}

TEST_CASE("a line about an error long before the end explains nothing") {
  CHECK(summary_of("NCCL WARN Call to connect returned Connection refused, retrying\n" +
                   repeat("epoch\n", 6 * 100)) == "nothing");
}

TEST_CASE("the assertion of a CUDA kernel is found, and gives way to the exception that follows") {
  const std::string line =
      "../aten/src/ATen/native/cuda/Indexing.cu:1289: indexSelectLargeIndex: block: [0,0,0], "
      "thread: [1,0,0] Assertion `srcIndex < srcSelectDimSize` failed.\n";
  CHECK(summary_of(line + line) == "Assertion `srcIndex < srcSelectDimSize` failed");
  CHECK(find_error(line)->location == "Indexing.cu:1289");
  CHECK(summary_of(line + kTraceback) == "ValueError: learning rate must be positive");
}

TEST_CASE("what says that a peer or a connection is gone is communication") {
  constexpr const char* kMessages[] = {
      "ConnectionResetError: [Errno 104] Connection reset by peer",
      "BrokenPipeError: [Errno 32] Broken pipe",
      "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:598] Connection closed by "
      "peer [::1]:1",
      "torch.distributed.DistNetworkError: The client socket has timed out after 60s",
      "RuntimeError: Timed out initializing process group in store based barrier on rank: 0",
      "RuntimeError: [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7)",
      "torch.distributed.DistBackendError: NCCL error in: x.cpp:1, remote process exited or there "
      "was a "
      "network error",
  };
  const std::string head = "Traceback (most recent call last):\n  File \"t.py\", line 1, in f\n";
  for (const char* message : kMessages) {
    CAPTURE(message);
    CHECK(communicates(head + message + "\n"));
  }
  CHECK(communicates(
      head +
      "torch.distributed.DistBackendError: NCCL error in: x.cpp:1, unhandled system error\n"
      "ncclSystemError: System call (e.g. socket, malloc) or external library call failed\n"
      "Last error:\n"
      "socketStartConnect: Connect to 10.0.0.2<1> failed : Software caused connection abort\n"));
}

TEST_CASE("a failed download, a CUDA error and a plain exception are not communication") {
  const std::string head = "Traceback (most recent call last):\n  File \"t.py\", line 1, in f\n";
  CHECK_FALSE(
      communicates(head +
                   "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='x', port=443): "
                   "Max retries exceeded: Connection refused\n"));
  CHECK_FALSE(communicates(head + "RuntimeError: CUDA error: device-side assert triggered\n"));
  CHECK_FALSE(communicates(kTraceback));
}

TEST_CASE("what a shell prints about a killed child is no error of its own") {
  CHECK_FALSE(find_error("epoch 1\nKilled\n"));
  CHECK_FALSE(find_error(
      "train.sh: line 3:    12 Bus error               (core dumped) python3 train.py\n"));
}

TEST_CASE("last lines are the last twenty, and blank output has none") {
  CHECK_FALSE(last_lines(""));
  CHECK_FALSE(last_lines(" \n\r\n\x1b[0m\n"));
  const auto error = last_lines(repeat("line\n", 500) + "the end \n\n");
  REQUIRE(error);
  CHECK(error->summary == "the end");
  CHECK(error->detail.size() == 19 * 5 + std::string("the end ").size());
}

TEST_CASE("megabytes of the worst input are read in time that grows with their length") {
  constexpr std::size_t kBytes = 4 << 20, kFewerBytes = kBytes / 4;
  const std::string spaces(200, ' ');
  const std::string kInputs[] = {
      repeat("Traceback (most recent call last):\n", kBytes),
      repeat("  File \"a.py\", line 1, in f\n", kBytes),
      repeat("  File \"a.py\", line 1\nSyntaxError: x\n", kBytes),
      repeat("Traceback (most recent call last):\nE:\n", kBytes),
      repeat(std::string(kTraceback) +
                 "\nDuring handling of the above exception, another exception occurred:\n\n",
             kBytes),
      repeat("  + Exception Group Traceback (most recent call last):\n  | ExceptionGroup: x\n",
             kBytes),
      repeat("  + Exception Group Traceback (most recent call last):\n", kBytes),
      repeat("╭─ Traceback (most recent call last) ─╮\n│ a.py:1 in f │\n", kBytes),
      repeat("╭─ Traceback (most recent call last) ─╮\n╰─╯\n", kBytes),
      repeat("ERROR: Sanitizer: x\n", kBytes),
      repeat("Fatal Python error: x\n", kBytes),
      repeat("terminate called after throwing an instance of 'x'\n  what():  \n", kBytes),
      repeat("CUDA CUDA error NCCL NCCL WARN\n", kBytes),
      repeat("Assertion `Assertion `", kBytes),
      repeat("a.c:", kBytes),
      repeat("Exception in thread \"main\" a.B: x\n", kFewerBytes),
      repeat("Exception in thread \"main\" " + repeat("a", 2000) +
                 "\nCaused by: " + repeat("a", 2000) + "\n",
             kFewerBytes),
      repeat("a.b.C: x\n\tat a.b.C.d(C.java:1)\n", kFewerBytes),
      "Exception in thread \"main\" a.B: x\n" + repeat("\tat a.b(C.java:1)\n", kFewerBytes),
      repeat("# A fatal error has been detected by the Java Runtime Environment:\n", kFewerBytes),
      repeat("panic: x\n", kFewerBytes),
      repeat("panic: x\n\ngoroutine 1 [running]:\n", kFewerBytes),
      repeat("goroutine 1 [running]:\nmain.f()\n\t/a.go:1\n\n", kFewerBytes),
      "panic: x\n\ngoroutine 1 [running]:\n" + repeat("\n", kFewerBytes),
      repeat("thread 'main' panicked at a.rs:1:1:\n", kFewerBytes),
      repeat("thread 'main' panicked at '\n", kFewerBytes),
      repeat("thread 'main' panicked at 'x', a.rs:1:1\nstack backtrace:\n   0: x\n", kFewerBytes),
      repeat("Error: x\n\nCaused by:\n", kFewerBytes),
      repeat("Error in f(x) : x\n", kFewerBytes),
      repeat(" *** caught segfault ***\n", kFewerBytes),
      repeat("ERROR: x\n", kFewerBytes),
      repeat("ERROR: LoadError: x\nStacktrace:\n", kFewerBytes),
      "ERROR: x\nStacktrace:\n" + repeat("caused by: x\n", kFewerBytes),
      repeat("MPI_ABORT was invoked on rank 1\n", kFewerBytes),
      repeat("Primary job  terminated normally, but\n", kFewerBytes),
      repeat("Fatal error in MPI_Send: x, error stack:\n", kFewerBytes),
      repeat("[a:1] *** Process received signal ***\n", kFewerBytes),
      repeat("There are not enough slots available in the system\n", kFewerBytes),
      repeat("[0] panic: x\n[1] ERROR: x\n[2] Error: x\n[3] a.b.C: x\n", kFewerBytes),
      repeat("[1,0]<stderr>:", kBytes),
      repeat(spaces + "Traceback (most recent call last):\n" + spaces + "   x\n", kBytes),
      repeat("\x1b]", kBytes),
      repeat("\x1b[", kBytes),
      repeat("\r", kBytes),
      repeat(" ", kBytes),
      repeat("\n", kBytes),
      repeat("\xff", kBytes),
      std::string(kBytes, '\0'),
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nE: " +
          repeat("x: ", kBytes),
  };
  for (const std::string& input : kInputs) {
    CAPTURE(input.substr(0, 60));
    const auto error = find_error(input);
    if (error) CHECK(error->detail.size() <= 16 * 1024);
    const auto last = last_lines(input);
    if (last) CHECK(last->summary.size() <= 2048);
  }
}

TEST_CASE("any bytes give valid text") {
  std::mt19937 random(7);
  const std::string pieces[] = {"Traceback (most recent call last):\n",
                                "  File \"a.py\", line 1, in f\n",
                                "    code\n",
                                "ValueError: x\n",
                                "\n",
                                "\r",
                                "\xff\xc3",
                                "\x1b[3",
                                "[rank0]: ",
                                "  | ",
                                "+ Exception Group Traceback (most recent call last):\n",
                                "ExceptionGroup: two\n",
                                "During handling of the above exception",
                                "terminate called after throwing an instance of '",
                                "'\n",
                                "  what():  ",
                                "Fatal Python error: ",
                                "SUMMARY: ",
                                "==1==ERROR: AddressSanitizer: ",
                                "NCCL WARN ",
                                "Assertion `",
                                "' failed.\n",
                                "Exception in thread ",
                                "╭─ Traceback (most recent call last) ─",
                                "│ a.py:1 in f",
                                "╰─",
                                "Exception ignored in",
                                "\"\"\"",
                                "Original ",
                                "Exception in thread \"main\" ",
                                "java.lang.Error: x\n",
                                "\tat a.B.c(B.java:1)\n",
                                "Caused by: ",
                                "# A fatal error has been detected by the Java Runtime Environment",
                                "# Problematic frame:\n",
                                "panic: ",
                                " [recovered]",
                                "goroutine 1 [running]:\n",
                                "main.f()\n\t/a/main.go:1 +0x1\n",
                                "thread 'main' panicked at ",
                                "'x', src/main.rs:1:1\n",
                                "src/main.rs:1:1:\n",
                                "stack backtrace:\n",
                                "Error in f(x) : ",
                                "Error: ",
                                "Execution halted\n",
                                " *** caught segfault ***\n",
                                "ERROR: LoadError: ",
                                "Stacktrace:\n",
                                " [1] f(x)\n   @ Main a.jl:1\n",
                                "caused by: ",
                                "nested task error: ",
                                "signal 11 (1): Segmentation fault",
                                "MPI_ABORT was invoked on rank 1",
                                "Fatal error in MPI_Send: x, error stack:",
                                "*** An error occurred in MPI_Send\n",
                                "mpirun noticed that process rank 1 with PID 3 on node ",
                                "Abort(3) on node 1: ",
                                "[1,0]<stderr>:",
                                std::string(74, '-'),
                                std::string(1, '\0'),
                                "ü"};
  for (int round = 0; round < 3000; ++round) {
    std::string input;
    const int length = static_cast<int>(random() % 40);
    for (int i = 0; i < length; ++i) input += pieces[random() % std::size(pieces)];
    for (const auto& error : {find_error(input), last_lines(input)}) {
      if (!error) continue;
      for (const std::string& text :
           {error->summary, error->location, error->frame, error->detail}) {
        CHECK(utf8::sanitize(text) == text);
      }
      CHECK(error->summary.find('\n') == std::string::npos);
    }
  }
}
