#include "story.h"

namespace trainit::simulation {

Micros between(testing::Dice& dice, Micros least, Micros most) {
  return least + static_cast<Micros>(dice.next() % static_cast<std::uint64_t>(most - least + 1));
}

Story draw_story(testing::Dice& dice, Micros lives, Micros uneven) {
  Story story;
  story.lives = lives + between(dice, 0, uneven);
  story.term_takes = dice.one_in(8) ? -1 : between(dice, 0, 1500 * kMillisecond);
  story.term_code = dice.roll(4) == 0 ? 0 : dice.one_in(3) ? 143 : -1;
  story.notices = dice.one_in(3) ? -1 : between(dice, 0, 3 * kSecond);
  return story;
}

void let_fail(testing::Dice& dice, Story& story, Micros lives) {
  story.lives = between(dice, 0, lives);
  story.communication = dice.one_in(6);
  if (dice.one_in(3)) {
    constexpr int kSignals[] = {6, 7, 9, 11};
    story.signal = kSignals[dice.roll(4)];
    story.communication = false;
  } else {
    story.code = 1 + dice.roll(120);
    story.dying = dice.one_in(3) ? between(dice, 0, 2 * kSecond) : 0;
    story.term_code = -1;  // an error is no success, also when SIGTERM comes after it
  }
}

}  // namespace trainit::simulation
