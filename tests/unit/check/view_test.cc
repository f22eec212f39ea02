#include "check/view.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::check;

namespace {

Report example() {
  Report report;
  report.areas.push_back({.area = "gpu", .text = "no GPU", .findings = {}});
  report.areas.push_back(AreaReport::skip("hosts", "the job has one host"));
  report.areas[0].add(Severity::kNote, "n", "w", "r");
  report.areas[0].add(Severity::kError, "bad\x1b[31m\nname", "why", "do");
  return report;
}

}  // namespace

TEST_CASE("the text has a line an area, the findings with the worst first, and their number") {
  CHECK(to_text(example()) ==
        "gpu: no GPU\n"
        "hosts: skipped: the job has one host\n"
        "\n"
        "error: gpu: bad\\x1b[31m\\nname\n"
        "  why: why\n"
        "  to do: do\n"
        "\n"
        "note: gpu: n\n"
        "  why: w\n"
        "  to do: r\n"
        "\n"
        "1 error\n");
  CHECK(to_text({}) == "\nno errors and no warnings\n");
}

TEST_CASE("the JSON has the same") {
  const Json json = to_json(example());
  CHECK(json.find("exit_code")->to_int64() == 2);
  CHECK(*(*json.find("areas")->array())[1].find("skipped")->boolean());
  const Json& first = (*json.find("findings")->array())[0];
  CHECK(*first.find("severity")->string() == "error");
  CHECK(*first.find("what")->string() == "bad\x1b[31m\nname");
  CHECK(*first.find("remedy")->string() == "do");
}
