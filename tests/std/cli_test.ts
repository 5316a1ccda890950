/** `parseArgs` does with each of its options what upstream's does. */
import { assertEquals } from "@std/assert";
import { parseArgs, type ParseOptions } from "@std/cli";

/** What holds for any command line: one row is arguments, options, result. */
// deno-fmt-ignore
const ROWS: [criterion: string, args: string, options: ParseOptions, result: Record<string, unknown>][] = [
  ["takes bare flags, values after = and numbers", "--a --b=x --c 12 y 3", {}, { a: true, b: "x", c: 12, _: ["y", 3] }],
  ["takes the next argument as a value",           "--a x y",     {},                                  { a: "x", _: ["y"] }],
  ["never takes an option as a value",             "--a --b",     {},                                  { a: true, b: true, _: [] }],
  ["boolean takes no value and defaults to false", "--a x",       { boolean: ["a", "b"] },             { a: true, b: false, _: ["x"] }],
  ["boolean understands true and false",           "--a=false --b true", { boolean: ["a", "b"] },      { a: false, b: true, _: [] }],
  ["boolean: true covers every --name",            "--a x -c y",  { boolean: true },                   { a: true, c: "y", _: ["x"] }],
  ["string keeps numbers as text",                 "--a 0x10 7",  { string: ["a", "_"] },              { a: "0x10", _: ["7"] }],
  ["string without a value is empty",              "--a --b=",    { string: ["a", "b"] },              { a: "", b: "", _: [] }],
  ["default fills what is absent",                 "--a 1",       { default: { a: 2, b: 3 } },         { a: 1, b: 3, _: [] }],
  ["alias sets all names",                         "-h --out f",  { alias: { help: "h", o: ["out"] }, boolean: ["help"] }, { h: true, help: true, o: "f", out: "f", _: [] }],
  ["alias shares defaults",                        "",            { alias: { a: "b" }, default: { a: 1 } }, { a: 1, b: 1, _: [] }],
  ["the last of several wins",                     "--a 1 --a 2", {},                                  { a: 2, _: [] }],
  ["collect gathers, and is empty when absent",    "--a 1 --a 2", { collect: ["a", "b"], string: "a" }, { a: ["1", "2"], b: [], _: [] }],
  ["negatable accepts --no-name",                  "--no-a --no-b", { negatable: ["a"] },              { a: false, "no-b": true, _: [] }],
  ["stopEarly leaves what follows alone",          "--a 1 x --b -- y", { stopEarly: true },            { a: 1, _: ["x", "--b", "y"] }],
  ["-- ends the options",                          "--a 1 -- --b 2", {},                               { a: 1, _: ["--b", "2"] }],
  ['"--" keeps what follows apart',                "x -- --b",    { "--": true },                      { _: ["x"], "--": ["--b"] }],
  ["groups of letters are flags",                  "-abc x",      {},                                  { a: true, b: true, c: "x", _: [] }],
  ["a letter may hold a value",                    "-n5 -f=x -p-", {},                                 { n: 5, f: "x", p: "-", _: [] }],
  ["a lone hyphen is no option",                   "-o - x",      { string: "o" },                     { o: "-", _: ["x"] }],
  ["names of Object's properties are plain names", "--toString x --constructor=1", {},                 { toString: "x", constructor: 1, _: [] }],
];

for (const [criterion, args, options, result] of ROWS) {
  Deno.test(`parseArgs() ${criterion}`, () => {
    assertEquals(
      Object.entries(parseArgs(args.split(" ").filter((part) => part !== ""), options)).sort(),
      Object.entries(result).sort(),
    );
  });
}

Deno.test("parseArgs() reports what no option names, and drops it on false", () => {
  const seen: unknown[] = [];
  const args = parseArgs(["--known", "1", "--other=2", "x"], {
    string: ["known"],
    unknown: (...call) => (seen.push(call), false),
  });
  assertEquals(seen, [["--other=2", "other", "2"], ["x"]]);
  assertEquals(args, { known: "1", _: [] });
});

Deno.test("parseArgs() types its result", () => {
  const args = parseArgs(["-j", "--from", "dir"], {
    boolean: ["json"],
    string: ["from", "mirror"],
    collect: ["device"],
    default: { mirror: "none" },
    alias: { json: "j" },
  });
  const json: boolean = args.json, short: boolean = args.j;
  const from: string | undefined = args.from, mirror: string = args.mirror;
  const devices: unknown[] = args.device;
  assertEquals([json, short, from, mirror, devices], [true, true, "dir", "none", []]);
});
