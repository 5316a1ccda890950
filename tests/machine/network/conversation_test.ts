/** What real guests said is answered as when they were content with it. */
import { assert, assertEquals } from "@std/assert";
import { conversationPath, CONVERSATIONS, parseConversation, SERVED } from "./conversation.ts";
import { plug } from "./support.ts";

for (const name of CONVERSATIONS) {
  Deno.test(`UserNetwork answers ${name} as in its recorded conversation`, () => {
    const frames = parseConversation(Deno.readTextFileSync(conversationPath(name)));
    // The file that the recorded part leaves alone, but that is in the list of the folder.
    const files = [...SERVED, { path: "big", contents: new Uint8Array(0) }];
    const { network, clock, pass, take } = plug({ files, bootFile: "folder/small" });
    const answers: Uint8Array[] = [];
    for (const { time, bytes } of frames.filter(({ isFromGuest }) => isFromGuest)) {
      pass(Math.max(0, time - clock.now));
      answers.push(...take());
      network.transmit(bytes);
    }
    pass(2_000_000);
    answers.push(...take());
    const expected = frames.filter(({ isFromGuest }) => !isFromGuest).map(({ bytes }) => bytes);
    assert(expected.length > 20);
    assertEquals(answers.map((bytes) => bytes.toHex()), expected.map((bytes) => bytes.toHex()));
  });
}
