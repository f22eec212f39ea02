#include "environment/process_text.h"

#include <doctest/doctest.h>

using namespace trainit::environment;

TEST_CASE("text reaches a process as its own bytes") {
  CHECK(*process_bytes("") == "");
  CHECK(*process_bytes("größe 😀\n\x01") == "größe 😀\n\x01");
  CHECK(*process_bytes("\xff\xfe") == "\xff\xfe");
}

TEST_CASE("the surrogates that Python keeps bytes in become these bytes again") {
  CHECK(*process_bytes("a\xED\xB2\x80z\xED\xB3\xBF") == "a\x80z\xff");
}

TEST_CASE("what no process can be given is refused with the character's name") {
  CHECK(process_bytes(std::string_view("a\0b", 3)).error().message ==
        "has a NUL character, which no process can be given");
  CHECK(process_bytes("\xED\xA0\x80").error().message ==
        "has the lone surrogate U+D800, which is no character");
  // The neighbours of U+DC80–U+DCFF.
  CHECK_FALSE(process_bytes("\xED\xB1\xBF").has_value());
  CHECK_FALSE(process_bytes("\xED\xB4\x80").has_value());
}

TEST_CASE("a shell's names are letters, digits and underscores, no digit first") {
  for (const char* name : {"A", "_", "SM_HP_LR", "a1"}) CHECK(is_shell_name(name));
  for (const char* name : {"", "1A", "A-B", "A.B", "A B", "Ä", "A=B"})
    CHECK_FALSE(is_shell_name(name));
}

TEST_CASE("each character that a shell cannot have becomes one underscore") {
  CHECK(to_shell_name("SM_HP_BATCH-SIZE") == "SM_HP_BATCH_SIZE");
  CHECK(to_shell_name("SM_HP_A.B/C D") == "SM_HP_A_B_C_D");
  CHECK(to_shell_name("SM_HP_GRÖSSE😀") == "SM_HP_GR_SSE_");
}
