/** Tests of where explore looks at futures; what it finds is in tests/cli/explore_test.ts. */
import { assert, assertEquals } from "@std/assert";
import { nextLook } from "../../journal/explore.ts";

Deno.test("nextLook looks at the first two steps, then at instants that futures share", () => {
  assertEquals([nextLook(1000, 1000), nextLook(1000, 1001), nextLook(1000, 1002)], [1001, 1002, 1024]);
  const looks = (start: number) => {
    const found = [];
    for (let at = start; at < start + 100_000;) found.push(at = nextLook(start, at));
    return found.slice(2);
  };
  const others = new Set(looks(1000));
  const common = looks(1037).filter((instant) => others.has(instant)).length;
  assert(looks(1037).length < 40 && common > 0.8 * looks(1037).length, `${common} of ${looks(1037).length}`);
});
