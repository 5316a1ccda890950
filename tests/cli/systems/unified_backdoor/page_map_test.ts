/** The map of pages beside the machine's: it tells accesses that are a caller's from others, and so finds planted ones. */
import { assertEquals, assertMatch } from "@std/assert";
import { followCalls, isAllowed } from "../../../../cli/systems/unified_backdoor/page_map.ts";
import { Random, randomCalls } from "../../../../cli/systems/unified_backdoor/random_calls.ts";
import { BUFFERS, MENDED_PAGE, STRETCH } from "../../../../firmware/unified_backdoor/calls_guest.ts";
import type { EventOf, MachineEvent } from "../../../../machine/events.ts";

const page = (index: number, offset = 0): bigint => BUFFERS + BigInt(index * 4096 + offset);

Deno.test("isAllowed says what each level may do with each page", () => {
  const rights = (index: number) =>
    [0, 1].map((level) =>
      [false, true].map((isWrite) => isAllowed(page(index), level, isWrite, false) ? 1 : 0)
    );
  assertEquals([0, 2, 3, 4, 5, 7, 9, 99].map(rights), [
    [[1, 1], [1, 1]],
    [[1, 0], [1, 0]],
    [[0, 0], [1, 1]],
    [[0, 0], [1, 0]],
    ...Array.from({ length: 4 }, () => [[0, 0], [0, 0]]),
  ]);
  assertEquals(isAllowed(page(MENDED_PAGE), 0, true, true), true);
  assertEquals([-1, 0, STRETCH.size].map((at) => isAllowed(STRETCH.virtual + BigInt(at), 0, true, false)), [
    false,
    true,
    false,
  ]);
});

const COMMON = { instant: 5, cpu: 0, index: 0 };

function called(level: number, x4: bigint, instruction = 0x18): EventOf<"backdoorCalled"> {
  const x = { x0: 0n, x1: 0n, x2: 9n, x3: 0n, x4, x5: x4, x6: 0n };
  return { ...COMMON, kind: "backdoorCalled", trigger: "mrs", level, instruction, ...x };
}

function returned(
  outcome: EventOf<"backdoorReturned">["outcome"],
  bytes: number,
): EventOf<"backdoorReturned"> {
  return { ...COMMON, kind: "backdoorReturned", outcome, port: 0, bytes, digest: 0n };
}

function injected(faultAddress: bigint): MachineEvent {
  const fields = { to: 1, syndrome: 0x9200_0007n, faultAddress, returnAddress: 0n, vector: 0n };
  return { ...COMMON, kind: "exceptionInjected", ...fields };
}

Deno.test("followCalls finds bytes of a page that is another's, and faults where there should be none", () => {
  const violations = (...events: MachineEvent[]) => followCalls(events).violations;
  assertEquals(violations(called(0, page(0)), returned("unknown", 9)), []);
  assertMatch(violations(called(0, page(3)), returned("unknown", 9))[0]!, /^read of 0x1000003000 at EL0/);
  assertEquals(violations(called(1, page(3)), returned("unknown", 9)), []);
  assertMatch(
    violations(called(0, page(1, 4090), 0x1c), returned("unknown", 9))[0]!,
    /^write of 0x1000002000/,
  );
  assertMatch(
    violations(called(0, page(0), 0x38), returned("unknown", 2))[0]!,
    /^read of 0xfffffffff at EL0/,
  );
  assertMatch(violations(called(0, page(0)), injected(page(0)), returned("faulted", 0))[0]!, /which EL0 has/);
  assertEquals(violations(called(0, page(3)), injected(page(3)), returned("faulted", 0)), []);
  assertMatch(violations(called(0, page(3)), returned("faulted", 0))[0]!, /faulted, fault false/);
});

Deno.test("randomCalls follow from their seed and fit into registers", () => {
  const calls = randomCalls(3, 500, [0, 1]);
  assertEquals(calls, randomCalls(3, 500, [0, 1]));
  assertEquals(calls.flatMap(({ x }) => x).filter((value) => value !== BigInt.asUintN(64, value)), []);
  assertEquals(new Set(calls.map(({ level }) => level)).size, 2);
  const random = new Random(0);
  assertEquals(new Set(Array.from({ length: 100 }, () => random.below(7))).size, 7);
});
