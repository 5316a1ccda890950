/** Part of the DPU's firmware: messages on its channel, and an offered image that is taken chunk by chunk, or refused. */
import { CHANNEL, CHANNEL_CALL, MESSAGE_HEAD } from "../../machine/dpu_channel.ts";
import { FUNCTION } from "../../machine/psci.ts";
import { BODY, IMAGE_HEADER as AT, IMAGE_MAGIC } from "./image.ts";
import { RAM_DISK_ENTRY } from "./platform.ts";

/** How often it asks for a chunk. */
const REQUESTS = 12;
const PAGE = 4096;

/** `compose`, `transmit`, `listen`, `offered`, `is_image`; goes on at `announce` and `boot`. */
export const TAKE_OFFER: string = `// A message of kind w0 with the model, to be filled in at x0.
compose:
        ldr     x1, =SENDING
        mov     w2, #${MESSAGE_HEAD}
1:      subs    w2, w2, #8
        str     xzr, [x1, x2]
        b.ne    1b
        str     w0, [x1]
        mov     x0, x1
        adr     x1, model
        ldp     x2, x3, [x1]
        stp     x2, x3, [x0, #AT_MODEL]
        ret

transmit:
        ldr     x0, =SENDING
        mov     x1, #${MESSAGE_HEAD}
        smc     #${CHANNEL_CALL.SEND}
        ret

// Waits for a message a while: w0 = its kind, 0 for none; x1 = its bytes, at RECEIVED.
listen: mrs     x10, cntvct_el0
1:      ldr     x0, =RECEIVED
        mov     x1, #${CHANNEL.MESSAGE}
        smc     #${CHANNEL_CALL.RECEIVE}
        cmp     x0, #${MESSAGE_HEAD}
        b.ge    2f
        mrs     x11, cntvct_el0
        sub     x11, x11, x10
        ldr     x12, =PATIENCE
        cmp     x11, x12
        b.lo    1b
        mov     w0, #0
        ret
2:      mov     x1, x0
        ldr     x0, =RECEIVED
        ldr     w0, [x0]
        ret

// An offer is at RECEIVED.
offered:
        ldr     x19, =RECEIVED
        adr     x1, model
        ldp     x2, x3, [x1]
        ldp     x4, x5, [x19, #AT_MODEL]
        cmp     x2, x4
        ccmp    x3, x5, #0, eq
        mov     w21, #1
        b.ne    refuse
        ldr     x20, [x19, #AT_SIZE]            // bytes of the image
        ldr     x2, =RAM_DISK_SIZE
        mov     w21, #2
        cmp     x20, x2
        b.hi    refuse
        mov     w21, #4
        cmp     x20, #${BODY >> 12}, lsl #12
        b.ls    refuse
        tst     x20, #${PAGE - 1}
        b.ne    refuse
        add     x1, x19, #AT_DIGEST
        ldr     x0, =OFFERED
        mov     x2, #32
        bl      copy
        ldr     x25, =RAM_DISK
        str     xzr, [x25]                      // no image, whatever was there
        mov     x22, xzr                        // bytes that are there
        mov     w24, #0
        mov     w23, #${REQUESTS}
want:   mov     w0, #MESSAGE_WANT
        bl      compose
        str     x22, [x0, #AT_OFFSET]
        str     x20, [x0, #AT_SIZE]
        add     x0, x0, #AT_DIGEST
        ldr     x1, =OFFERED
        mov     x2, #32
        bl      copy
        bl      transmit
        cmp     x22, x20
        b.hs    complete
        bl      listen
        cmp     w0, #MESSAGE_CHUNK
        b.eq    1f
        cmp     w0, #MESSAGE_PROCEED
        b.eq    boot
        cmp     w0, #MESSAGE_OFFER
        b.eq    again
        subs    w23, w23, #1
        b.ne    want
        b       boot                            // nobody is there any more
1:      ldr     x2, [x19, #AT_OFFSET]
        subs    x1, x1, #${MESSAGE_HEAD}
        b.eq    want
        cmp     x2, x22
        b.ne    want                            // one before was lost
        sub     x3, x20, x22
        cmp     x1, x3
        b.hi    want
        tst     x1, #15
        b.ne    want
        mov     w23, #${REQUESTS}
        add     x0, x25, x22
        add     x22, x22, x1
        mov     x2, x1
        add     x1, x19, #${MESSAGE_HEAD}
        bl      copy
        b       want

// The same image again goes on where it was.
again:  add     x0, x19, #AT_DIGEST
        ldr     x1, =OFFERED
        bl      equal_digests
        b.eq    want
        b       offered

complete:
        mov     x0, x25
        mov     x1, x20
        bl      sha256
        ldr     x0, =DIGEST
        ldr     x1, =OFFERED
        bl      equal_digests
        mov     w21, #3
        b.ne    refuse
        mov     w21, #4
        bl      is_image
        b.ne    refuse
        ldr     x0, [x25, #${AT.SIZE}]
        cmp     x0, x20
        b.ne    refuse
        mov     w0, #${RAM_DISK_ENTRY}
        bl      name_entry
        ldr     x0, =BOOT_NAME
        mov     x1, #(ram_disk_option_end - ram_disk_option)
        adr     x2, ram_disk_option
        bl      set_variable
        adr     x0, boot_next
        mov     x1, #2
        adr     x2, ram_disk_entry
        bl      set_variable
        adr     x0, text_staged
        bl      print
        mov     w0, #MESSAGE_STAGED
        bl      compose
        bl      transmit
        ldr     x0, =${FUNCTION.SYSTEM_RESET}
        smc     #0
        b       .

refuse: ldr     x25, =RAM_DISK
        str     xzr, [x25]
        mov     w0, #MESSAGE_REFUSED
        bl      compose
        str     w21, [x0, #AT_CODE]
        bl      transmit
        mov     w24, #0
        b       announce

// Z where x25 leads to an image of this machine.
is_image:
        ldr     x0, [x25]
        ldr     x1, =${IMAGE_MAGIC}
        cmp     x0, x1
        b.ne    1f
        adr     x0, model
        ldp     x0, x1, [x0]
        ldp     x2, x3, [x25, #${AT.MODEL}]
        cmp     x0, x2
        ccmp    x1, x3, #0, eq
        b.ne    1f
        ldr     x0, [x25, #${AT.RAM_DISK}]
        ldr     x1, =RAM_DISK
        cmp     x0, x1
        b.ne    1f
        ldr     w0, [x25, #${AT.SEGMENTS}]
        cmp     w0, #16
        b.hi    1f
        ldr     x0, [x25, #${AT.SIZE}]
        tst     x0, #${PAGE - 1}
        b.ne    1f
        ldr     x1, =RAM_DISK_SIZE
        cmp     x0, x1
        b.hi    1f
        cmp     x0, #${BODY >> 12}, lsl #12
        b.ls    2f
        cmp     x0, x0
        ret
2:      cmp     x25, #0                         // not equal
1:      ret

`;
