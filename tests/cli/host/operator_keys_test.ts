/** Tests of the operator's keys. */
import { assertEquals, assertMatch } from "@std/assert";
import { OperatorKeys } from "../../../cli/host/operator_keys.ts";
import { ACTION_EXAMPLES } from "../../../cli/script.ts";

/** Types a text in one piece, or byte by byte; what was wished for, bytes as text, and the echo. */
function type(text: string, piece: "whole" | "bytes") {
  let echo = "";
  const keys = new OperatorKeys((part) => (echo += part));
  const bytes = new TextEncoder().encode(text);
  const pieces = piece === "whole" ? [bytes] : [...bytes].map((byte) => Uint8Array.of(byte));
  const wishes = pieces.flatMap((part) => keys.push(part)).map((wish) => {
    if (wish.kind === "end") return "end";
    const { input } = wish;
    return input.kind === "consoleReceived" ? new TextDecoder().decode(input.bytes) : input;
  });
  return { wishes, echo, isPrompting: keys.isPrompting };
}

Deno.test("OperatorKeys.push sends keys to the guest, Ctrl-C among them, as one input", () => {
  assertEquals(type("ls\x03\r", "whole").wishes, ["ls\x03\r"]);
  assertEquals(type("ls", "bytes").wishes, ["l", "s"]);
});

Deno.test("OperatorKeys.push keeps what follows Ctrl-A, over reads too", () => {
  for (const piece of ["whole", "bytes"] as const) {
    assertEquals(type("a\x01x", piece).wishes, ["a", "end"]);
    assertEquals(type("\x01\x01", piece).wishes, ["\x01"]);
    assertMatch(type("\x01h", piece).echo, /end the recording/);
  }
});

Deno.test("OperatorKeys.push reads commands at the prompt until it is told to go on", () => {
  const inject = { kind: "interruptInjected" as const, interrupt: 33 };
  const typed = type("\x01cinject irqq\x7f 33\rcont\rx", "whole");
  assertEquals(typed.wishes, [inject, "x"]);
  assertEquals(typed.echo, "\r\n(hindsight) inject irqq\b \b 33\r\ncont\r\n");
  assertEquals(type("\x01cinject", "bytes").isPrompting, true);
  assertEquals(type("\x01cinject irq 33\r", "bytes").isPrompting, true);
  assertEquals(type("\x01cpower cut\r", "bytes").isPrompting, false);
  for (const end of ["\r", "cont\r", "foo\x03", "foo\x1b"]) {
    assertEquals(type(`\x01c${end}b`, "whole").wishes, ["b"], JSON.stringify(end));
  }
  assertEquals(type("\x01cfoo\x01x", "bytes"), {
    wishes: ["end"],
    echo: "\r\n(hindsight) foo\r\n",
    isPrompting: false,
  });
  assertEquals(type("\x01cfoo\x03b", "bytes"), {
    wishes: ["b"],
    echo: "\r\n(hindsight) foo\r\n",
    isPrompting: false,
  });
});

Deno.test("OperatorKeys.push keeps the prompt open after an action it does not know", () => {
  const wrong = type("\x01cinjct irq 3\rinject irq 3\r", "whole");
  assertEquals(wrong.wishes, [{ kind: "interruptInjected", interrupt: 3 }]);
  assertMatch(
    wrong.echo,
    /Did you mean "inject"\?; help tells what there is\r\n\(hindsight\) inject irq 3\r\n$/,
  );
  assertEquals(wrong.isPrompting, true);
});

Deno.test("OperatorKeys.push lists every action with an example that can be typed", () => {
  const { echo, isPrompting } = type("\x01chelp\r", "whole");
  assertEquals(isPrompting, true);
  assertMatch(echo, /\r\n {2}cont +goes on/);
  assertEquals(ACTION_EXAMPLES.length, 11);
  for (const [example, help] of ACTION_EXAMPLES) {
    assertEquals(echo.includes(`\r\n  ${example.padEnd(24)}${help}\r\n`), true, example);
    assertEquals(type(`\x01c${example}\r`, "whole").wishes.length, 1, example);
  }
});
