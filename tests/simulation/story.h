#pragma once

#include "dice.h"
#include "timeline.h"

namespace trainit::simulation {

/// What one worker does when nobody stops it, and when somebody does.
struct Story {
  Micros lives = 0;  ///< from its start
  int code = 0, signal = 0;
  bool communication = false;  ///< what it prints when it fails says that a peer is gone
  Micros dying = 0;            ///< from its error to its end
  Micros term_takes = 0;       ///< from SIGTERM to its end; -1: it ignores it
  int term_code = 0;           ///< with which it ends then; -1: by the signal
  Micros notices = -1;         ///< a peer's failure makes it fail so much later; -1: it hangs

  bool fails() const { return code != 0 || signal != 0; }
};

Micros between(testing::Dice& dice, Micros least, Micros most);
/// Of a worker that ends well when it has lived for so long, or up to `uneven` longer.
Story draw_story(testing::Dice& dice, Micros lives, Micros uneven);
/// Makes it fail by itself within `lives`.
void let_fail(testing::Dice& dice, Story& story, Micros lives);

}  // namespace trainit::simulation
