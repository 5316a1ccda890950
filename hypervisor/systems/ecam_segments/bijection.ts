/**
 * Proof, by trying all of them, that segments and the one tree that they are merged into name the same functions, and that
 * both stand for true ones one to one: no two names have one function, and none is lost.
 */
import { placeOf, type Segment, SEGMENT_SIZE, shownRequester, trueRequester } from "./segments.ts";

/** Functions of a bus, and words of a function that are looked at. */
const FUNCTIONS = 256, FUNCTION_SIZE = 0x1000;
const REQUESTERS = 0x1_0000;

/** A name of a true function: its requester ID. */
type Names = ReadonlyMap<string, number>;

/** Every name of a map: each function's address space, from its first byte to its last, belongs to one true function. */
function namesOf(segments: readonly Segment[], problems: string[]): Names {
  const names = new Map<string, number>(), taken = new Map<number, string>();
  for (const { base, segment, shown } of segments) {
    for (let at = 0; at < FUNCTIONS; at++) {
      const first = placeOf(segments, base + at * FUNCTION_SIZE);
      const last = placeOf(segments, base + at * FUNCTION_SIZE + FUNCTION_SIZE - 1);
      const name = `${segment}:${shown}:${at >>> 3}.${at & 7}`;
      if (first === undefined || last?.segment !== first.segment || last.offset !== FUNCTION_SIZE - 1) {
        problems.push(`${name} is not in one place`);
        continue;
      }
      if (!first.isThere) continue;
      const id = first.segment.bus << 8 | first.device << 3 | first.function, other = taken.get(id);
      if (other !== undefined) problems.push(`${name} and ${other} are one function`);
      taken.set(id, name);
      names.set(name, id);
    }
  }
  return names;
}

/** Every requester ID of each bus goes to its true one and back, and no other does. */
function requestersOf(segments: readonly Segment[], problems: string[]): Set<number> {
  const all = new Set<number>();
  for (const one of segments) {
    for (let input = 0; input < REQUESTERS; input++) {
      const id = trueRequester(one, input);
      if (id === undefined) continue;
      if (all.has(id)) problems.push(`requester ID ${id} is reached twice`);
      if (shownRequester(one, id) !== input) {
        problems.push(`requester ID ${input} does not come back from ${id}`);
      }
      all.add(id);
    }
  }
  return all;
}

/** What is wrong with two maps of the same root ports; empty when both are bijections to the same functions. */
export function bijectionProblems(segments: readonly Segment[], tree: readonly Segment[]): string[] {
  const problems: string[] = [];
  const ids = (names: Names): string => String([...names.values()].sort((a, b) => a - b));
  const one = namesOf(segments, problems), other = namesOf(tree, problems);
  if (ids(one) !== ids(other)) {
    problems.push(`segments have the functions ${ids(one)}, the tree ${ids(other)}`);
  }
  const sent = requestersOf(segments, problems), merged = requestersOf(tree, problems);
  if (sent.size !== merged.size || ![...sent].every((id) => merged.has(id))) {
    problems.push("segments and tree have other requester IDs");
  }
  for (const map of [segments, tree]) {
    for (const { segment, shown, base } of map) {
      const first = map.find((one) => one.segment === segment) as Segment;
      if (base - shown * SEGMENT_SIZE === first.base - first.shown * SEGMENT_SIZE) continue;
      problems.push(`bus ${shown} of segment ${segment} is not in its place`);
    }
  }
  return problems;
}
