/** The tree keeps its own rules: folders explain themselves, files open with a sentence, links lead somewhere. */
import { assert, assertEquals } from "@std/assert";
import { SYSTEMS } from "../cli/systems/table.ts";

const ROOT = new URL("../", import.meta.url);

/** Folders without source of ours, by path. */
const SKIPPED = new Set([".git", ".guests", "node_modules", "tests/golden", "tests/fixtures"]);

/** Every file of the tree, by path from the root. */
function files(folder = ""): string[] {
  const entries = [...Deno.readDirSync(new URL(folder, ROOT))].sort((a, b) => a.name < b.name ? -1 : 1);
  return entries.flatMap(({ name, isDirectory }) => {
    const path = folder + name;
    if (SKIPPED.has(path)) return [];
    return isDirectory ? files(`${path}/`) : [path];
  });
}

const ALL = files();
const SOURCES = ALL.filter((path) => path.endsWith(".ts"));
const PAGES = ALL.filter((path) => path.endsWith(".md"));

const read = (path: string): string => Deno.readTextFileSync(new URL(path, ROOT));

/** Asserts that nothing is to be done; a failure lists what, and where. */
function assertNone(toDo: string, offenders: string[]): void {
  assert(offenders.length === 0, `${toDo}:\n  ${offenders.join("\n  ")}`);
}

/** The first paragraph of the comment that a source text opens with, or undefined. */
function openingSentence(source: string): string | undefined {
  const text = source.replace(/^#!.*\n/, "").trimStart();
  const block = /^\/\*\*?([^]*?)\*\//.exec(text)?.[1]?.replace(/^[ \t]*\* ?/gm, "");
  const lines = /^(?:\/\/.*\n?)+/.exec(text)?.[0].replace(/^\/\/ ?/gm, "");
  return (block ?? lines)?.trim().split(/\n\s*\n/)[0];
}

/** The anchors of a page's headings, as they are made on the web from Markdown. */
function anchors(markdown: string): Set<string> {
  const headings = prose(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm);
  return new Set(
    [...headings].map(([, heading]) =>
      heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
    ),
  );
}

/** The page without code, in which brackets are no links and `#` no heading. */
function prose(markdown: string): string {
  return markdown.replace(/^(```|~~~)[^]*?^\1/gm, "").replace(
    /`[^`\n]*`/g,
    (code) => code.slice(1, -1).replace(/[[\]()]/g, ""),
  );
}

/** What a page links to: inline links, images and link definitions. */
function links(markdown: string): string[] {
  const text = prose(markdown);
  const inline = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)];
  const defined = [...text.matchAll(/^\[[^\]]+\]:\s*<?([^\s>]+)>?/gm)];
  return [...inline, ...defined].map(([, target]) => target!);
}

/** Why a link of a page leads nowhere, or undefined; only what is in the tree is looked at. */
function brokenLink(page: string, target: string): string | undefined {
  if (/^[a-z]+:/i.test(target)) return undefined;
  const [path = "", anchor] = target.split("#");
  const url = new URL(path === "" ? page : path, new URL(page, ROOT));
  const file = path === "" ? new URL(page, ROOT) : url;
  let isFile: boolean;
  try {
    isFile = Deno.statSync(file).isFile;
  } catch {
    return "no such file";
  }
  if (anchor === undefined || !isFile || !file.pathname.endsWith(".md")) return undefined;
  return anchors(Deno.readTextFileSync(file)).has(decodeURIComponent(anchor)) ? undefined : "no such heading";
}

Deno.test("openingSentence() and links() read what they should", () => {
  assertEquals(openingSentence("/** One. */\nimport 1;"), "One.");
  assertEquals(openingSentence("/**\n * One\n * more.\n *\n * Two.\n */"), "One\nmore.");
  assertEquals(openingSentence("#!/x\n// One\n// more.\n\ncode"), "One\nmore.");
  assertEquals(openingSentence("import 1; // no"), undefined);
  assertEquals(links('[a](b.md#c "t") ![i](i.png) `[x](y)` \n```\n[n](m)\n```\n[r]: s.md'), [
    "b.md#c",
    "i.png",
    "s.md",
  ]);
  assertEquals([...anchors("# One, `two`\n```\n# no\n```\n## Three–4")], ["one-two", "three4"]);
  assertEquals(brokenLink("std/README.md", "cli.ts"), undefined);
  assertEquals(brokenLink("std/README.md", "absent.ts"), "no such file");
  assertEquals(brokenLink("std/README.md", "#std"), undefined);
  assertEquals(brokenLink("std/README.md", "../std/README.md#absent"), "no such heading");
});

Deno.test("every top folder has a README.md", () => {
  const folders = new Set(SOURCES.filter((path) => path.includes("/")).map((path) => path.split("/")[0]!));
  const without = [...folders].filter((folder) => !ALL.includes(`${folder}/README.md`));
  assertNone("Say what the folder is in a README.md of", without);
});

Deno.test("every source file opens with a comment whose first paragraph is a sentence", () => {
  // The name of a system may come first, as it is written.
  const slugs = SYSTEMS.map(({ slug }) => slug).join("|"),
    sentence = new RegExp(`^([^a-z]|${slugs})[^]*[.:]$`);
  const without = SOURCES.filter((path) => !sentence.test(openingSentence(read(path)) ?? ""));
  assertNone("Open with one sentence in a comment, from a capital to a full stop, in", without);
});

Deno.test("every source file is named in snake_case", () => {
  const misnamed = SOURCES.filter((path) => !/^([a-z0-9_]+\/)*[a-z0-9_]+\.ts$/.test(path));
  assertNone("Name in snake_case", misnamed);
});

Deno.test("every link of every page leads somewhere", () => {
  const broken = PAGES.flatMap((page) =>
    links(read(page)).flatMap((target) => {
      const reason = brokenLink(page, target);
      return reason ? [`${page}: ${target}: ${reason}`] : [];
    })
  );
  assertNone("Correct these links", broken);
});
