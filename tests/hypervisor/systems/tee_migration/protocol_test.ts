/** The migration's protocol: policy first, sealed pieces in order, and exactly one runnable copy wherever an agent crashes. */
import { assert, assertEquals } from "@std/assert";
import { createCipheriv, createDecipheriv } from "node:crypto";
import { hmac, seal, unseal } from "../../../../hypervisor/systems/tee_migration/crypto.ts";
import {
  channelOf,
  decodeMessage,
  encodeMessage,
} from "../../../../hypervisor/systems/tee_migration/messages.ts";
import { sha256 } from "../../../../machine/sha256.ts";
import { contentOf, type Meddler, simulate } from "./simulation.ts";

const plain = simulate();

Deno.test("a migration gives a TEE to the destination, policy first", () => {
  assertEquals(plain.wrong, []);
  assertEquals(plain.running, [false, true]);
  const told = (who: string) =>
    plain.steps.filter((step) => step.startsWith(who)).map((step) => step.slice(2));
  assertEquals(told("S"), [
    "policySent",
    "attested",
    "teeFrozen",
    ...Array(3).fill("piecesSent"),
    "committed",
    "finished",
  ]);
  assertEquals(told("D"), ["attested", "teeCreated", ...Array(3).fill("piecesTaken"), "prepared", "resumed"]);
  assertEquals(plain.records.map(({ phase }) => phase), ["finished", "running"]);
});

Deno.test("a policy that is not met is refused before a page is sent", () => {
  const refused = simulate({ features: ["LSE"] });
  assertEquals([refused.wrong, refused.running], [[], [true, false]]);
  assert(refused.steps.includes("D policyRefused") && refused.steps.includes("S rolledBack"));
  assert(!refused.steps.some((step) => /pieces|teeFrozen|teeCreated/.test(step)));
});

Deno.test("exactly one copy is runnable whichever agents crash before whichever effects", () => {
  const [source, destination] = plain.effects;
  let gone = 0, stayed = 0, tried = 0;
  const tryAt = (crashes: [number, number], away?: number): void => {
    const { wrong, running } = simulate({ crashes, ...away === undefined ? {} : { away } });
    assertEquals(wrong, [], `crashes before effects ${crashes.join(" and ")}, away ${away}`);
    if (running[1]) gone++;
    else stayed++;
    tried++;
  };
  for (let at = 0; at <= source; at++) for (const away of [5, 5000]) tryAt([at, Infinity], away);
  for (let at = 0; at <= destination; at++) for (const away of [5, 5000]) tryAt([Infinity, at], away);
  for (let at = 0; at <= source; at += 3) {
    for (let other = 0; other <= destination; other += 3) tryAt([at, other]);
  }
  assert(gone > 10 && stayed > 10, `${gone} and ${stayed} of ${tried}`);
});

/** Every message of both directions, meddled with in one way. */
function eachMessage(name: string, meddle: (bytes: Uint8Array) => readonly Uint8Array[]): void {
  for (let number = 0; number < plain.link.length; number++) {
    for (const fromSource of [true, false]) {
      const meddler: Meddler = (bytes, at, direction) =>
        at === number && direction === fromSource ? meddle(bytes) : [bytes];
      const { wrong } = simulate({ meddler });
      assertEquals(wrong, [], `${name} number ${number} ${fromSource ? "from" : "to"} the source`);
    }
  }
}

Deno.test("whatever is tampered with, cut, lost or sent twice, one TEE runs, and it is whole", () => {
  eachMessage("tampered", (bytes) => [bytes.map((byte, at) => at === bytes.length - 1 ? byte ^ 1 : byte)]);
  eachMessage("head of", (bytes) => [bytes.map((byte, at) => at === 5 ? byte ^ 1 : byte)]);
  eachMessage("cut", (bytes) => [bytes.slice(0, 50)]);
  eachMessage("lost", () => []);
  eachMessage("twice", (bytes) => [bytes, bytes]);
});

Deno.test("pieces out of order, twice or changed destroy the destination's TEE, and the source's runs on", () => {
  // The source's messages are offer, begin, pieces 0 to 2, end, commit.
  let kept: Uint8Array | undefined;
  const swapped: Meddler = (bytes, number, fromSource) => {
    if (!fromSource || number !== 2 && number !== 3) return [bytes];
    if (number === 3) return [bytes, kept!];
    kept = bytes;
    return [];
  };
  const twice: Meddler = (bytes, number, fromSource) => fromSource && number === 2 ? [bytes, bytes] : [bytes];
  const changed: Meddler = (bytes, number, fromSource) =>
    fromSource && number === 3 ? [bytes.map((byte, at) => at === 60 ? byte ^ 4 : byte)] : [bytes];
  for (const [name, meddler] of Object.entries({ swapped, twice, changed })) {
    const { wrong, running, steps } = simulate({ meddler });
    assertEquals([wrong, running], [[], [true, false]], name);
    assert(
      steps.includes("D violated") && steps.includes("D teeDestroyed") && steps.includes("S rolledBack"),
      name,
    );
  }
});

Deno.test("a recorded session that is played again resumes nothing", () => {
  const again: Meddler = (bytes, number, fromSource) =>
    fromSource && number === 6 ? [bytes, ...plain.link] : [bytes];
  const { wrong, running, steps } = simulate({ meddler: again });
  assertEquals([wrong, running], [[], [false, true]]);
  assertEquals(steps.filter((step) => step === "D resumed").length, 1);
  assert(steps.includes("D resumeRefused"));
});

Deno.test("what the TEE holds is never on the link", () => {
  const canary = sha256(Uint8Array.of(77)), content = contentOf(40);
  content[17] = { place: 17 * 4096, bytes: canary };
  const { link, running } = simulate({ content });
  assertEquals(running, [false, true]);
  const digits = canary.toHex();
  assert(!link.some((bytes) => bytes.toHex().includes(digits)));
  assert(link.some((bytes) => bytes.length > 14 * 32), "pieces were sent");
});

Deno.test("unseal() agrees with node:crypto's own decipher, and hmac() with RFC 4231", () => {
  const key = sha256(Uint8Array.of(1)), iv = key.slice(0, 12), additional = key.slice(0, 20);
  const text = new TextEncoder().encode("a page of a realm"), sealed = seal(key, iv, additional, text);
  const decipher = createDecipheriv("aes-256-gcm", key, iv);
  decipher.setAAD(additional).setAuthTag(sealed.tag);
  assertEquals(new Uint8Array([...decipher.update(sealed.ciphertext), ...decipher.final()]), text);
  assertEquals(unseal(key, iv, additional, sealed), text);
  assertEquals(unseal(key, iv, additional.slice(1), sealed), undefined);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(additional);
  assertEquals(new Uint8Array(cipher.update(text)), sealed.ciphertext);
  // RFC 4231, test case 2.
  const mac = hmac(
    new TextEncoder().encode("Jefe"),
    new TextEncoder().encode("what do ya want for nothing?"),
  );
  assertEquals(mac.toHex(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

Deno.test("decodeMessage() takes nothing of the other direction or of other keys", () => {
  const cluster = sha256(Uint8Array.of(3)),
    head = { type: "prepared", epoch: 1, attempt: 2, sequence: 0 } as const;
  const bytes = encodeMessage(channelOf(cluster, false), { ...head, body: {} });
  assertEquals(decodeMessage(channelOf(cluster, false), bytes), { ...head, body: {} });
  assertEquals(decodeMessage(channelOf(cluster, true), bytes), undefined);
  assertEquals(decodeMessage(channelOf(sha256(cluster), false), bytes), undefined);
  for (let length = 0; length < bytes.length; length += 7) {
    assertEquals(decodeMessage(channelOf(cluster, false), bytes.slice(0, length)), undefined);
  }
});
