#include "behaviour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char* own_rank(void) {
  const char* rank = getenv("RANK");
  return rank != NULL ? rank : "0";
}

/// The argument of the first item with this action that is meant for this rank, in a buffer of the
/// thread; NULL: none. With `what`, only when that is the argument.
static const char* argument_of(const char* action, const char* what) {
  static _Thread_local char argument[64];
  const char* items = getenv("FAKE_NCCL");
  for (const char* item = items; item != NULL && *item != 0;) {
    const size_t length = strcspn(item, ",");
    char text[128];
    snprintf(text, sizeof text, "%.*s", (int)length, item);
    item += length + (item[length] == ',');
    char* rank = strchr(text, '@');
    if (rank != NULL) *rank++ = 0;
    char* value = strchr(text, '=');
    if (value == NULL || (rank != NULL && strcmp(rank, own_rank()) != 0)) continue;
    *value++ = 0;
    if (strcmp(text, action) != 0 || (what != NULL && strcmp(value, what) != 0)) continue;
    snprintf(argument, sizeof argument, "%s", value);
    return argument;
  }
  return NULL;
}

bool wanted(const char* action, const char* what) { return argument_of(action, what) != NULL; }

int wanted_number(const char* action, int otherwise) {
  const char* argument = argument_of(action, NULL);
  return argument != NULL ? atoi(argument) : otherwise;
}

void note_call(const char* call) {
  const char* directory = getenv("FAKE_NCCL_LOG");
  if (directory == NULL) return;
  char path[512];
  snprintf(path, sizeof path, "%s/rank-%s", directory, own_rank());
  FILE* file = fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s\n", call);
  fclose(file);
}

_Noreturn void misuse(const char* call, const char* why) {
  fprintf(stderr, "fake NCCL: %s: %s\n", call, why);
  abort();
}
