/** Tests of reading command lines. */
import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/errors.ts";
import { type OptionRow, readOptions } from "../../cli/options.ts";

const ROWS: readonly OptionRow[] = [
  { name: "output", aliases: ["o"], value: "FILE", help: "" },
  { name: "device", value: "…", repeats: true, help: "" },
  { name: "until", value: "N", help: "" },
  { name: "nographic", help: "" },
  { name: "depth", value: "D", help: "" },
];

Deno.test("readOptions reads single and double hyphens, equals signs and values that begin with a hyphen", () => {
  const args = [
    "-nographic",
    "-o",
    "-x",
    "--device",
    "a=1,b",
    "-device=c",
    "run",
    "--until=0x1_0",
    "--",
    "-z",
  ];
  const options = readOptions(args, ROWS);
  assertEquals(options.isOn("nographic"), true);
  assertEquals(options.text("output"), "-x");
  assertEquals(options.texts("device"), ["a=1,b", "c"]);
  assertEquals(options.number("until"), 16);
  assertEquals(options.others, ["run", "-z"]);
  assertEquals(readOptions([], ROWS).texts("device"), []);
  assertEquals(readOptions(["-"], ROWS).others, ["-"]);
});

// deno-fmt-ignore
const ERRORS: readonly (readonly [args: string[], message: string])[] = [
  [["-nografic"],        'There is no option -nografic. Did you mean "nographic"?'],
  [["--zzz"],            "There is no option --zzz"],
  [["-o"],               "-o needs a value: FILE"],
  [["-nographic=on"],    "-nographic is a switch"],
];

Deno.test("readOptions refuses unknown options, missing values and values of switches", () => {
  for (const [args, message] of ERRORS) assertThrows(() => readOptions(args, ROWS), UsageError, message);
});

Deno.test("Options.number and Options.oneOf refuse what is out of range", () => {
  const options = readOptions(["-until", "12x", "-depth", "step"], ROWS);
  assertThrows(() => options.number("until"), UsageError, 'from 0 to 2^53 − 1, not "12x"');
  assertThrows(() => options.oneOf("depth", ["traps", "steps"]), UsageError, 'Did you mean "steps"?');
  assertThrows(() => readOptions(["-until", "9"], ROWS).number("until", 1, 8), UsageError, "from 1 to 8");
  assertThrows(() => readOptions(["-until", "-1"], ROWS).number("until"), UsageError);
});
