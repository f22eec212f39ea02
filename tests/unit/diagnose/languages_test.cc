#include <doctest/doctest.h>

#include <string>

#include "diagnose/error_text.h"

using namespace trainit::diagnose;

namespace {

const std::string kPython =
    "Traceback (most recent call last):\n"
    "  File \"/opt/ml/code/train.py\", line 42, in make_optimizer\n"
    "    raise ValueError(\"learning rate must be positive\")\n"
    "ValueError: learning rate must be positive\n";
constexpr const char* kPythonSummary = "ValueError: learning rate must be positive";

const std::string kGoroutine =
    "\ngoroutine 1 [running]:\nmain.main()\n\t/opt/ml/code/main.go:3 +0x2c\n";

std::string summary_of(std::string_view output) {
  const auto error = find_error(output);
  return error ? error->summary : "nothing";
}

std::string place_of(std::string_view output) {
  const auto error = find_error(output);
  return error ? error->location : "nothing";
}

std::string lines(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

/// `text` with `prefix` before each of its lines.
std::string prefixed(const std::string& prefix, const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (result.empty() || result.back() == '\n') result += prefix;
    result += c;
  }
  return result;
}

/// The lines of both, taken in turns.
std::string interleaved(std::string one, std::string other) {
  std::string result;
  while (!one.empty() || !other.empty()) {
    for (std::string* text : {&one, &other}) {
      const std::size_t end = std::min(text->find('\n'), text->size() - 1) + 1;
      if (text->empty()) continue;
      result += text->substr(0, end);
      text->erase(0, end);
    }
  }
  return result;
}

/// Errors of other languages, each of which is the end of a program.
struct Known {
  std::string output;
  const char* summary;
  const char* place;
};
const Known kKnown[] = {
    {"Exception in thread \"main\" java.io.IOException: no such table\n"
     "\tat com.acme.Train.main(Train.java:4)\n",
     "java.io.IOException: no such table", "Train.java:4"},
    {"panic: no such table\n" + kGoroutine, "panic: no such table", "main.go:3"},
    {"thread 'main' panicked at src/main.rs:3:9:\nno such table\n"
     "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
     "thread 'main' panicked: no such table", "main.rs:3"},
    {"thread 'main' panicked at 'no such table', src/main.rs:3:9\n",
     "thread 'main' panicked: no such table", "main.rs:3"},
    {"Error in load(1) : no such table\nCalls: main -> load\nExecution halted\n",
     "Error in load(1) : no such table", ""},
    {"ERROR: LoadError: KeyError: no such table\nStacktrace:\n [1] load()\n"
     "   @ Main /opt/ml/code/train.jl:2\nin expression starting at /opt/ml/code/train.jl:4\n",
     "KeyError: no such table", "train.jl:2"},
};

}  // namespace

TEST_CASE("lines of a log that only look like errors of other languages are none") {
  for (const char* line :
       {"Error: retrying", "Error in callback, going on",
        "ERROR: tracker is not reachable, retrying", "panic: not really",
        "fatal error: none so far", "thread 'main' is waiting",
        "thread 'main' panicked at the sight of it", "signal 3: 0.5", "signal 11 (1): strong",
        "Caused by: the weather", "java.lang.OutOfMemoryError: was avoided",
        "an Exception in thread \"main", "Execution halted",
        "Stacktrace:", "Error:", "goroutine 1 [running]:", "memory allocation of 3 tensors failed",
        "# There was a fatal error"}) {
    CAPTURE(line);
    const std::string log = std::string("epoch 1\n") + line + "\nepoch 2\n";
    CHECK(summary_of(log) == "nothing");
    CHECK(summary_of(log + kPython) == kPythonSummary);
    CHECK(summary_of(kPython + log) == kPythonSummary);
    CHECK(find_error(kPython + log)->last_words());
  }
}

TEST_CASE("each language's error is found behind what launchers put before its lines") {
  for (const Known& known : kKnown) {
    for (const char* prefix : {"", "[1,3]<stderr>:", "[3] ", "3: ", "[rank3]: "}) {
      CAPTURE(known.summary);
      CAPTURE(prefix);
      const auto error = find_error("epoch 1\n" + prefixed(prefix, known.output));
      REQUIRE(error);
      CHECK(error->summary == known.summary);
      CHECK(error->location == known.place);
      CHECK(error->detail.find("epoch") == std::string::npos);
      CHECK(error->detail.find("[1,3]") == std::string::npos);
    }
  }
}

TEST_CASE("lines of another rank between those of an error do not end it") {
  for (const Known& known : kKnown) {
    CAPTURE(known.summary);
    const std::string other = prefixed("[1,2]<stdout>:", lines(12, "epoch 1"));
    CHECK(summary_of(interleaved(prefixed("[1,3]<stderr>:", known.output), other)) ==
          known.summary);
    CHECK(place_of(interleaved(prefixed("[1,3]<stderr>:", known.output), other)) == known.place);
  }
}

TEST_CASE("of errors of two languages the later explains the end, a mere consequence never") {
  for (const Known& known : kKnown) {
    CAPTURE(known.summary);
    CHECK(summary_of(kPython + lines(100, "epoch") + known.output) == known.summary);
    CHECK(summary_of(known.output + lines(100, "epoch") + kPython) == kPythonSummary);
    const std::string abort =
        "terminate called after throwing an instance of 'c10::Error'\n  what():  x\n";
    CHECK(summary_of(known.output + abort) == known.summary);
  }
}

TEST_CASE("a program that reports a failed child gives way to what the child has printed") {
  const std::string java =
      "Exception in thread \"main\" java.io.IOException: python exited with code 1\n"
      "\tat Train.main(Train.java:4)\n";
  const std::string julia =
      "ERROR: LoadError: failed process: Process(`python3 x.py`, ProcessExited(1)) [1]\n"
      "Stacktrace:\n [1] top-level scope\n   @ /opt/ml/code/train.jl:2\n";
  const std::string python =
      "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n"
      "RuntimeError: the tokenizer exited with code 1\n";
  const std::string kReports[] = {
      java,
      "panic: exit status 1\n" + kGoroutine,
      "thread 'main' panicked at src/main.rs:3:9:\npython failed: exit status: 1\n",
      "Error in system2(\"python3\") : non-zero exit status\nExecution halted\n",
      julia,
      python,
  };
  for (const std::string& report : kReports) {
    CAPTURE(report);
    CHECK(summary_of(kPython + report) == kPythonSummary);
    CHECK(summary_of(report) != "nothing");
    // What was printed long before is no account of this child.
    CHECK(summary_of(kPython + lines(100, "epoch") + report) == summary_of(report));
  }
}

TEST_CASE("what a child in another language has printed explains a CalledProcessError") {
  for (const Known& known : kKnown) {
    CAPTURE(known.summary);
    CHECK(summary_of(
              known.output +
              "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n"
              "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 1.\n") ==
          known.summary);
  }
}

TEST_CASE("a Java exception is placed in the user's class, not in Java's or a library's") {
  CHECK(place_of("Exception in thread \"main\" java.lang.NumberFormatException: x\n"
                 "\tat java.base/java.lang.Integer.parseInt(Integer.java:652)\n"
                 "\tat org.apache.spark.Dataset.map(Dataset.scala:3)\n"
                 "\tat app//com.acme.Config.read(Config.java:7)\n"
                 "\tat com.acme.Train.main(Train.java:4)\n") == "Config.java:7");
  CHECK(place_of("Exception in thread \"main\" java.lang.Error: x\n"
                 "\tat java.base/java.lang.Object.wait(Native Method)\n") == "");
}

TEST_CASE("a Java stack of a thousand frames is read to its cause") {
  const std::string output = "Exception in thread \"main\" com.acme.Broken: cannot train\n" +
                             lines(1024, "\tat com.acme.Train.depth(Train.java:9)") +
                             "Caused by: java.lang.StackOverflowError: too deep\n" +
                             "\tat com.acme.Net.step(Net.java:5)\n\t... 1024 more\n";
  const auto error = find_error(output);
  REQUIRE(error);
  CHECK(error->summary ==
        "com.acme.Broken: cannot train, caused by java.lang.StackOverflowError: too deep");
  CHECK(error->location == "Net.java:5");
  CHECK(error->detail.ends_with("... 1024 more"));
}

TEST_CASE("what a Java exception was suppressed with is neither its cause nor its place") {
  const auto error = find_error(
      "Exception in thread \"main\" java.lang.Error: first\n"
      "\tat com.acme.Train.main(Train.java:9)\n"
      "\tSuppressed: java.lang.Error: second\n\t\tat com.acme.Loader.close(Loader.java:3)\n"
      "\tCaused by: java.lang.Error: third\n\t\tat com.acme.Loader.f(Loader.java:4)\n"
      "Caused by: java.lang.Error: fourth\n\tat com.acme.Train.main(Train.java:6)\n");
  REQUIRE(error);
  CHECK(error->summary == "java.lang.Error: first, caused by java.lang.Error: fourth");
  CHECK(error->location == "Train.java:6");
}

TEST_CASE("an exception that a Java program has only logged gives way to its last words") {
  const std::string logged =
      "WARN  skipped a shard\njava.io.IOException: bad shard\n\tat com.acme.Shard.read(S.java:3)\n";
  CHECK(summary_of(logged) == "java.io.IOException: bad shard");
  CHECK(summary_of(kKnown[0].output + logged) == kKnown[0].summary);
  const std::string thread =
      "Exception in thread \"pool-1-thread-2\" java.io.IOException: bad shard\n\tat "
      "a.B.c(B.java:1)\n";
  CHECK(summary_of(kKnown[0].output + thread) == kKnown[0].summary);
}

TEST_CASE("Java's exception is in the message of Python's bridge to it") {
  CHECK(summary_of("Traceback (most recent call last):\n"
                   "  File \"/opt/ml/code/train.py\", line 3, in <module>\n    frame.count()\n"
                   "py4j.protocol.Py4JJavaError: An error occurred while calling o42.count.\n"
                   ": org.apache.spark.SparkException: Job aborted\n"
                   "\tat org.apache.spark.Scheduler.abort(Scheduler.scala:5)\n") ==
        "py4j.protocol.Py4JJavaError: An error occurred while calling o42.count.: "
        "org.apache.spark.SparkException: Job aborted");
}

TEST_CASE("the virtual machine's refusals to start are errors") {
  CHECK(summary_of("Error: Unable to access jarfile train.jar\n") ==
        "Unable to access jarfile train.jar");
  CHECK(summary_of("Error occurred during initialization of VM\n"
                   "Could not reserve enough space for object heap\n") ==
        "Error occurred during initialization of VM: Could not reserve enough space for object "
        "heap");
  CHECK(summary_of("Terminating due to java.lang.OutOfMemoryError: Java heap space\n") ==
        "Terminating due to java.lang.OutOfMemoryError: Java heap space");
}

TEST_CASE("of panics within panics of Go the one that was not recovered is shown") {
  CHECK(summary_of("panic: first\n\tpanic: while cleaning up\n" + kGoroutine) == "panic: first");
  CHECK(summary_of("panic: first [recovered]\n\tpanic: second\n" + kGoroutine) ==
        "panic: second, caused by first");
  CHECK(summary_of("panic: first [recovered, repanicked]\n" + kGoroutine) == "panic: first");
}

TEST_CASE("a Go program is placed in the user's code, also when built with short paths") {
  CHECK(place_of("panic: x\n\ngoroutine 1 [running]:\n"
                 "runtime.gopanic(0x1)\n\truntime/panic.go:884\n"
                 "encoding/json.Load()\n\tencoding/json/decode.go:5\n"
                 "github.com/x/y.F()\n\tgithub.com/x/y@v1.2.3/f.go:5\n"
                 "acme.org/train/model.Load()\n\tacme.org/train/model/load.go:9\n"
                 "main.main()\n\tacme.org/train/main.go:3\n") == "load.go:9");
  CHECK(place_of("panic: x\n\ngoroutine 1 [running]:\n"
                 "y.F()\n\t/go/pkg/mod/github.com/x/y@v1.2.3/f.go:5\n"
                 "strings.Repeat()\n\t/usr/local/go/src/strings/strings.go:5\n"
                 "main.main()\n\t/go/src/app/main.go:3 +0x1d\n"
                 "created by main.start\n\t/go/src/app/start.go:8\n") == "main.go:3");
}

TEST_CASE("the stacks of all goroutines are no sign that a program went on, nor its error") {
  std::string output = "fatal error: all goroutines are asleep - deadlock!\n" + kGoroutine;
  for (int i = 2; i < 40; ++i)
    output += "\ngoroutine " + std::to_string(i) +
              " [chan receive]:\nmain.work()\n\t/opt/ml/code/work.go:7 +0x1d\n";
  const auto error = find_error(output + "exit status 2\n");
  REQUIRE(error);
  CHECK(error->last_words());
  CHECK(error->location == "main.go:3");
  CHECK(error->detail.find("work.go") == std::string::npos);
  CHECK_FALSE(find_error(output + lines(12, "epoch"))->last_words());
}

TEST_CASE("a crash in C code that Go has called is found") {
  CHECK(summary_of("SIGSEGV: segmentation violation\nPC=0x46 m=0 sigcode=1\n"
                   "signal arrived during cgo execution\n" +
                   kGoroutine) == "SIGSEGV: segmentation violation");
}

TEST_CASE("a message of a Rust panic may hold quotes and lines") {
  CHECK(summary_of(
            "thread 'main' panicked at 'can't read 'x', giving up\nreally', src/io.rs:3:9\n") ==
        "thread 'main' panicked: can't read 'x', giving up");
  CHECK(
      place_of("thread 'main' panicked at 'can't read 'x', giving up\nreally', src/io.rs:3:9\n") ==
      "io.rs:3");
  CHECK(summary_of("thread 'main' panicked at 'no 'x', 'y', or 'z', here', io.rs:3:9\n") ==
        "thread 'main' panicked: no 'x', 'y', or 'z', here");
  CHECK(summary_of("thread 'main' panicked at src/io.rs:3:9:\n2 problems:\n  no epochs\n") ==
        "thread 'main' panicked: 2 problems: no epochs");
}

TEST_CASE("a Rust panic in a library is placed where the user's code called it") {
  CHECK(place_of("thread 'main' panicked at /root/.cargo/registry/src/x/tokens/src/lib.rs:8:5:\nx\n"
                 "stack backtrace:\n   0: rust_begin_unwind\n"
                 "             at /rustc/90b35a/library/std/src/panicking.rs:645:5\n"
                 "   1: tokens::load\n"
                 "             at /root/.cargo/registry/src/x/tokens/src/lib.rs:8:5\n"
                 "   2: train::main\n             at ./src/main.rs:4:5\n") == "main.rs:4");
}

TEST_CASE("a panic in a library of Rust is told by the Python exception that it becomes") {
  const auto error = find_error(
      "thread '<unnamed>' panicked at src/lib.rs:8:5:\nno vocabulary\n"
      "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n"
      "Traceback (most recent call last):\n  File \"/opt/ml/code/train.py\", line 3, in <module>\n"
      "    tokens.load()\npyo3_runtime.PanicException: no vocabulary\n");
  REQUIRE(error);
  CHECK(error->summary == "pyo3_runtime.PanicException: no vocabulary");
  CHECK(error->location == "train.py:3");
}

TEST_CASE("the chain of errors that a Rust program ends with is shown from both ends") {
  CHECK(summary_of("Error: cannot load the data\n\nCaused by:\n    0: cannot open digits.csv\n"
                   "    1: No such file or directory (os error 2)\n") ==
        "Error: cannot load the data, caused by No such file or directory (os error 2)");
  CHECK(summary_of("Error: cannot load the data\n\nepoch 1\n") == "nothing");
}

TEST_CASE("memory that Rust could not get is an error") {
  CHECK(summary_of("memory allocation of 1099511627776 bytes failed\n") ==
        "memory allocation of 1099511627776 bytes failed");
}

TEST_CASE("an error that an R script has caught is not the one that halted it") {
  CHECK(summary_of("Error in try(f()) : no such shard\nError in g(2) : loss is nan\n"
                   "Execution halted\n") == "Error in g(2) : loss is nan");
  CHECK(summary_of("Error in try(f()) : no such shard\n" + lines(60, "epoch") +
                   "Execution halted\n") == "nothing");
}

TEST_CASE("the chained errors of R's newer packages are shown from both ends") {
  const auto error = find_error(
      "Error in `load()`:\n! no training data\nCaused by error in `open()`:\n! digits.csv is gone\n"
      "Backtrace:\n    ▆\n 1. └─global load()\nExecution halted\n");
  REQUIRE(error);
  CHECK(error->summary == "Error in `load()`: no training data, caused by digits.csv is gone");
}

TEST_CASE("an error of a Julia task that nobody waited for gives way to the program's own") {
  const std::string task =
      "Unhandled Task ERROR: IOError: disk is gone\nStacktrace:\n [1] watch()\n"
      "   @ Main /opt/ml/code/train.jl:9\n";
  CHECK(summary_of(task) == "IOError: disk is gone");
  CHECK(summary_of(kKnown[5].output + task) == kKnown[5].summary);
}

TEST_CASE("Julia's report of a stop signal explains nothing that an error does") {
  const std::string stopped = "[42] signal 15: Terminated\nin expression starting at none:0\n";
  CHECK(summary_of(kKnown[5].output + lines(50, "x") + stopped) == kKnown[5].summary);
  CHECK(summary_of("signal (11): Segmentation fault\n") == "signal (11): Segmentation fault");
}

TEST_CASE("a Julia package's place is not the user's") {
  CHECK(place_of("ERROR: LoadError: KeyError: x\nStacktrace:\n"
                 " [1] getindex(h::Dict)\n   @ Base ./dict.jl:484\n"
                 " [2] train!(m::Chain)\n   @ Flux ~/.julia/packages/Flux/x/src/train.jl:5\n"
                 " [3] macro expansion\n   @ /opt/ml/code/loop.jl:8 [inlined]\n") == "loop.jl:8");
}

TEST_CASE("a peer that is gone has its words in each language") {
  for (const char* message :
       {"java.net.ConnectException: Connection refused",
        "java.net.SocketException: Connection reset", "java.io.IOException: Broken pipe"}) {
    CAPTURE(message);
    const auto error = find_error(std::string("Exception in thread \"main\" ") + message + "\n");
    REQUIRE(error);
    CHECK(error->communication);
  }
  const auto go =
      find_error("panic: dial tcp 10.0.0.1:4: connect: connection refused\n" + kGoroutine);
  REQUIRE(go);
  CHECK(go->communication);
  CHECK_FALSE(find_error(kKnown[0].output)->communication);
}
