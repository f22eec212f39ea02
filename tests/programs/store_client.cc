// Calls everything that trainit::StoreClient offers, against the store at ADDRESS PORT, and prints
// what came of it as one line of JSON: a list of pairs of a call and its result. With a third
// argument it only says hello to somebody else's client: waits for the key "to C++" and answers
// under "from C++".
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "trainit/json.h"
#include "trainit/store.h"

using namespace std::chrono_literals;
using trainit::Json;
using trainit::Result;
using trainit::StoreClient;

namespace {

class Report {
 public:
  void add(const char* call, const Result<void>& result) {
    add(call, result ? Json("done") : Json("error: " + result.error().message));
  }
  void add(const char* call, const Result<std::string>& result) {
    add(call, Json(result ? *result : "error: " + result.error().message));
  }
  void add(const char* call, const Result<std::int64_t>& result) {
    add(call, result ? Json(*result) : Json("error: " + result.error().message));
  }
  void add(const char* call, const Result<bool>& result) {
    add(call, result ? Json(*result) : Json("error: " + result.error().message));
  }
  void add(const char* call, Result<std::vector<std::string>> result) {
    if (!result) return add(call, Json("error: " + result.error().message));
    std::sort(result->begin(), result->end());
    Json::Array items;
    for (std::string& item : *result) items.push_back(Json(std::move(item)));
    add(call, Json(std::move(items)));
  }

  void print() const {
    std::puts(trainit::dump_json(Json(lines_), trainit::JsonStyle::kPython).c_str());
  }

 private:
  void add(const char* call, Json result) {
    lines_.push_back(Json(Json::Array{Json(call), std::move(result)}));
  }
  Json::Array lines_;
};

void call_everything(StoreClient& client, Report& report) {
  report.add("set", client.set("k", "v"));
  report.add("append", client.append("k", "!"));
  report.add("get", client.get("k"));
  report.add("add", client.add("n", 41));
  report.add("add again", client.add("n", 1));
  report.add("compare_set of nothing", client.compare_set("c", "", "first"));
  report.add("compare_set of another", client.compare_set("c", "x", "second"));
  report.add("compare_set", client.compare_set("c", "first", "second"));
  report.add("check", client.check({"k", "c"}));
  report.add("check of one that is missing", client.check({"k", "missing"}));
  report.add("wait that times out", client.wait({"missing"}, 100ms));
  report.add("wait", client.wait({"k", "n"}));
  report.add("multi_set", client.multi_set({{"m1", "1"}, {"m2", "2"}}));
  report.add("multi_get", client.multi_get({"m1", "m2"}));
  report.add("delete_key", client.delete_key("m1"));
  report.add("delete_key again", client.delete_key("m1"));
  report.add("num_keys", client.num_keys());
  report.add("list_keys", client.list_keys());
  report.add("queue_push", client.queue_push("q", "item"));
  report.add("queue_len", client.queue_len("q"));
  report.add("queue_pop", client.queue_pop("q"));
  report.add("queue_pop that times out", client.queue_pop("q", 100ms));
  report.add("barrier", client.barrier("b", 1));
}

void say_hello(StoreClient& client, Report& report) {
  const auto greeting = client.get("to C++", 30s);
  report.add("get", greeting);
  report.add("set", client.set("from C++", greeting ? *greeting + " yourself" : "nothing came"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto client = StoreClient::connect(argv[1], std::atoi(argv[2]), 30s);
  if (!client) {
    std::fprintf(stderr, "%s\n", client.error().message.c_str());
    return 1;
  }
  Report report;
  (argc > 3 ? say_hello : call_everything)(*client, report);
  report.print();
  return 0;
}
