/** The index of translations by descriptor, against a plain list. */
import { assert, assertEquals } from "@std/assert";
import { DescriptorIndex } from "../../../machine/memory/descriptor_index.ts";
import { randomNumbers } from "../a64/random_words.ts";

const ENTRIES = 64;

Deno.test("DescriptorIndex finds what a list finds, as entries come and go", () => {
  const seed = 20261121, numbers = randomNumbers(seed);
  const random = { below: (limit: number) => (numbers() >>> 0) % limit };
  const index = new DescriptorIndex(ENTRIES);
  const list: number[] = new Array(ENTRIES).fill(-1);
  // Descriptors 2^17 bytes apart share a list.
  const anyDescriptor = () => random.below(40) * 8 + random.below(3) * 2 ** 17 + random.below(2) * 4096;
  let found = 0;
  for (let step = 0; step < 20_000; step++) {
    const entry = random.below(ENTRIES), choice = random.below(10);
    if (choice < 6) {
      list[entry] = choice === 0 ? -1 : anyDescriptor();
      index.set(entry, list[entry] as number);
    } else if (choice < 8) {
      list[entry] = -1;
      index.remove(entry);
    }
    const first = anyDescriptor(), end = first + (step % 4 === 0 ? 64 : 8);
    const at = index.find(first, end);
    const isIn = (from: number | undefined) => from !== undefined && from >= first && from < end;
    assertEquals(at >= 0, list.some(isIn), `seed ${seed}, step ${step}`);
    if (at >= 0) assert(isIn(list[at]), `seed ${seed}, step ${step}`);
    const page = first - first % 4096;
    if (list.some((from) => from >= page && from < page + 4096)) assert(index.mayUse(page));
    assertEquals(index.descriptorOf(entry), list[entry]);
    if (at >= 0) found++;
  }
  assert(found > 1000 && found < 19_000, `${found} found`);
  index.clear();
  assertEquals([index.find(0, 2 ** 20), index.mayUse(0)], [-1, false]);
});
