/** Plans of random pages: what they are made of, and that no way through one executes more steps than were looked for. */
import { assert, assertEquals } from "@std/assert";
import {
  type Block,
  type PageInstruction,
  type PagePlan,
  planPage,
} from "../../../machine/engine/compiled_blocks.ts";
import { entryWords } from "../../../machine/engine/compiled_units.ts";
import { Choices } from "../../law/random.ts";

const NOTHING = { shape: { key: "", nodes: [] }, operands: undefined as never };
const NEXT: PageInstruction = { ...NOTHING, flow: "next", conditional: false, links: false, target: -1 };

type Page = readonly (PageInstruction | undefined)[];

/** A page of straight code, branches near and far, calls, returns, and words that are not compiled. */
function randomPage(choices: Choices): Page {
  const size = choices.of([8, 40, 200, 1024]),
    gaps = choices.of([3, 20, 1000]),
    branches = choices.of([2, 6, 40]);
  return Array.from({ length: size }, (_, word): PageInstruction | undefined => {
    if (choices.oneIn(gaps)) return undefined;
    if (!choices.oneIn(branches)) return NEXT;
    const near = Math.max(0, Math.min(size - 1, word + choices.between(-12, 12)));
    const target = choices.oneIn(3) ? choices.below(size) : near;
    return choices.of<PageInstruction>([
      { ...NEXT, flow: "local", conditional: true, target },
      { ...NEXT, flow: "local", conditional: true, target },
      { ...NEXT, flow: "local", target },
      { ...NEXT, flow: "local", target, links: true },
      { ...NEXT, flow: "far", conditional: choices.oneIn(2) },
      { ...NEXT, flow: "dynamic" },
    ]);
  });
}

function checkPartition(page: Page, { blocks, blockAt, loops }: PagePlan): void {
  const owners = new Array<number>(page.length).fill(0);
  blocks.forEach((block, index) => {
    assertEquals(blockAt.get(block.first), index);
    for (let word = block.first; word < block.end; word++) {
      owners[word] = (owners[word] as number) + 1;
      const { flow, conditional } = page[word] as PageInstruction;
      const isEnd = flow !== "next" && !conditional;
      assert(!isEnd || (word === block.end - 1 && !block.falls), `word ${word} goes on after a branch`);
    }
  });
  assertEquals(owners, page.map((instruction) => instruction === undefined ? 0 : 1));
  page.forEach((instruction) => {
    if (instruction?.flow !== "local" || page[instruction.target] === undefined) return;
    assert(blockAt.has(instruction.target), `no block begins at the target ${instruction.target}`);
  });
  loops.forEach(({ first, last, entries }, index) => {
    assert(first <= last && first > (loops[index - 1]?.last ?? -1), "loops overlap");
    assert(entries.every((entry) => entry > first && entry <= last), "a loop is entered outside of it");
    for (let inner = first + 1; inner <= last; inner++) {
      if (entries.includes(inner)) continue;
      const { first: word } = blocks[inner] as Block;
      assert(page[word - 1]?.links !== true, `a call returns into the loop at ${word}`);
      page.forEach((instruction, from) => {
        if (instruction?.flow !== "local" || instruction.target !== word) return;
        const isInside = from >= (blocks[first] as Block).first && from < (blocks[last] as Block).end;
        assert(isInside, `word ${from} branches into the loop at ${word}`);
      });
    }
  });
}

/** Goes through a region with so many steps, choosing at branches, as its code does; fails where a step has no budget. */
function walk(
  page: Page,
  { blocks, blockAt, reserve }: PagePlan,
  entry: number,
  budget: number,
  choices: Choices,
): void {
  if (budget < reserve) return;
  for (let index: number | undefined = blockAt.get(entry), left = budget; index !== undefined;) {
    const block = blocks[index] as Block;
    if (block.checks && left < block.reserve) return;
    let next: number | undefined = block.falls ? block.end : undefined;
    for (let word = block.first; word < block.end; word++) {
      assert(
        left-- > 0,
        `the step at word ${word} of block ${block.first} is past the budget of ${budget} from ${entry}`,
      );
      const { flow, conditional, target } = page[word] as PageInstruction;
      if (flow === "next" || (conditional && choices.oneIn(2))) continue;
      next = flow === "local" ? target : undefined;
      break;
    }
    index = next === undefined ? undefined : blockAt.get(next);
  }
}

const SEED = 1, PAGES = 150;

Deno.test(`planPage puts each instruction in one block and keeps loops closed, pages of seeds from ${SEED}`, () => {
  for (let seed = SEED; seed < SEED + PAGES; seed++) {
    const page = randomPage(new Choices(seed));
    checkPartition(page, planPage(page));
  }
});

Deno.test(`planPage reserves what any way through a page may take, pages of seeds from ${SEED}`, () => {
  for (let seed = SEED; seed < SEED + PAGES; seed++) {
    const choices = new Choices(seed), page = randomPage(choices), plan = planPage(page);
    const entries = entryWords(plan);
    assert(
      plan.reserve <= 96 && plan.blocks.every((block) => block.reserve <= 96),
      `seed ${seed} waits for too much`,
    );
    for (let way = 0; way < 60 && entries.length > 0; way++) {
      const budget = choices.oneIn(2) ? plan.reserve + choices.below(3) : choices.below(400);
      walk(page, plan, choices.of(entries), budget, choices);
    }
  }
});
