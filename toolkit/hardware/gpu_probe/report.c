#include "report.h"

#include "hardware/gpu_helper/json_line.h"
#include "hardware/gpu_helper/libc_api.h"

static struct TimeOfDay began;

static unsigned long long milliseconds(void) {
  struct TimeOfDay now = {0, 0};
  gettimeofday(&now, 0);
  const long passed =
      (now.seconds - began.seconds) * 1000 + (now.microseconds - began.microseconds) / 1000;
  return passed > 0 ? (unsigned long long)passed : 0;
}

void begin_report(void) {
  gettimeofday(&began, 0);
  const int lines = dup(1);
  if (lines < 0) return;
  write_lines_to(lines);
  dup2(2, 1);
}

void begin_report_line(void) {
  begin_line();
  put_name("at");
  put_number(milliseconds());
}

void end_report_line(void) {
  put_raw("}");
  // Nobody listens any more.
  if (write_line() != 0) _exit(1);
}

static void begin_of_step(const char* what, const struct Step* step) {
  begin_report_line();
  put_name(what);
  put_string(step->name);
  if (step->gpu != kNone) {
    put_name("gpu");
    put_number((unsigned long long)step->gpu);
  }
  if (step->to != kNone) {
    put_name("to");
    put_number((unsigned long long)step->to);
  }
}

static void say_step(const struct Step* step) {
  dprintf(2, "trainit-gpu-probe: %llu ms: %s", milliseconds(), step->name);
  if (step->gpu != kNone) dprintf(2, " of GPU %d", step->gpu);
  if (step->to != kNone) dprintf(2, " to GPU %d", step->to);
}

void report_step(const struct Step* step) {
  begin_of_step("step", step);
  end_report_line();
}

void report_result(const struct Step* step, const struct Measure* measure) {
  begin_of_step("result", step);
  put_name(measure->of);
  put_number(measure->amount);
  put_name("ns");
  put_number(measure->nanoseconds);
  put_name("wrong");
  put_number(measure->wrong);
  put_name("checked");
  put_number(measure->checked);
  end_report_line();
  const unsigned long long time = measure->nanoseconds > 0 ? measure->nanoseconds : 1;
  say_step(step);
  dprintf(2, ": %llu %s in %llu us, %llu G/s, %llu of %llu wrong\n", measure->amount, measure->of,
          time / 1000, measure->amount / time, measure->wrong, measure->checked);
}

void report_failure(const struct Step* step, const struct Trouble* trouble) {
  begin_of_step("failure", step);
  put_name("call");
  put_string(trouble->call);
  put_name("code");
  put_number(trouble->code);
  put_name("name");
  put_string(trouble->name == 0 ? "" : trouble->name);
  put_name("message");
  put_string(trouble->message == 0 ? "" : trouble->message);
  end_report_line();
  say_step(step);
  dprintf(2, ": %s failed: %u %s %s\n", trouble->call, trouble->code,
          trouble->name == 0 ? "" : trouble->name, trouble->message == 0 ? "" : trouble->message);
}
