/** The parts of roots as they are stored: after the first root of a journal, those that differ from the root before. */
import { equalBytes } from "./hash.ts";
import type { StoredRoot } from "./payloads.ts";

/** Hashes of parts of a state, in the order of the state root. */
export type Parts = StoredRoot["parts"];

const hashesOf = (parts: Parts) => new Map(parts.map(({ name, hash }) => [name, hash]));

/** Those of a root's parts that differ from the parts of the root before it. */
export function changedParts(before: Parts, now: Parts): Parts {
  const hashes = hashesOf(before);
  return now.filter(({ name, hash }) => {
    const old = hashes.get(name);
    return old === undefined || !equalBytes(old, hash);
  });
}

/** All parts of a root of which those are stored that differ from the root before it, or all, as older builds did. */
export function allParts(before: Parts, stored: Parts): Parts {
  const left = hashesOf(stored);
  const kept = before.map((part) => {
    const hash = left.get(part.name);
    left.delete(part.name);
    return hash === undefined ? part : { name: part.name, hash };
  });
  return [...kept, ...stored.filter(({ name }) => left.has(name))];
}
