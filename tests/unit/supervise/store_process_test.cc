#include "supervise/store_process.h"

#include <doctest/doctest.h>
