#pragma once

#include <stdbool.h>

/// What FAKE_NCCL asks of this rank: items such as "fail=ncclGetUniqueId@0,version=22602", each for
/// the rank after its "@" (by RANK), or for all.

/// Whether ACTION=WHAT is asked for; `what` NULL: ACTION with any argument.
bool wanted(const char* action, const char* what);
/// The number of ACTION=NUMBER, or `otherwise`.
int wanted_number(const char* action, int otherwise);

/// Adds the call to the file of this rank in the directory FAKE_NCCL_LOG, if there is one.
void note_call(const char* call);

/// A program that uses NCCL in a way that its documents forbid ends here.
_Noreturn void misuse(const char* call, const char* why);
