// What the stand-ins for libcuda and for NCCL in one process have in common.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Work is done when it is put there; what the time of a real GPU would be is added up.
struct CUstream_st {
  int gpu;
  double milliseconds;
};

/// Whether FAKE_PROBE has the item ACTION=WHAT for this GPU: "wrong=product@3,slow=memory". An item
/// without "@" is for all GPUs.
static inline int probe_wants(const char* action, const char* what, int gpu) {
  const char* items = getenv("FAKE_PROBE");
  while (items != NULL && *items != 0) {
    char text[128], own[128];
    const size_t length = strcspn(items, ",");
    snprintf(text, sizeof text, "%.*s", (int)length, items);
    items += length + (items[length] == ',');
    snprintf(own, sizeof own, "%s=%s@%d", action, what, gpu);
    if (strcmp(text, own) == 0) return 1;
    *strrchr(own, '@') = 0;
    if (strcmp(text, own) == 0) return 1;
  }
  return 0;
}
