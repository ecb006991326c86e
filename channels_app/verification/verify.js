const crypto = require("node:crypto");

const TOLERANCE_SECONDS = 5 * 60;

// Whether a notification comes from Tidings. Answer 401 where it does not.
// `secret` is the channel's (whsec_...), `headers` those of the request by lower-case name,
// and `body` its bytes as they came. In Express, with express.raw({ type: "application/json" }):
// verify(secret, req.headers, req.body)
function verify(secret, headers, body) {
    const id = headers["webhook-id"];
    const timestamp = headers["webhook-timestamp"];
    const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
    const age = Math.abs(Date.now() / 1000 - Number(timestamp)); // NaN where it is no number
    if (!(age <= TOLERANCE_SECONDS) || key.length === 0) return false;

    const mac = crypto.createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
    const expected = Buffer.from(`v1,${mac.digest("base64")}`);
    // Several while a secret is being rotated. timingSafeEqual takes as long wherever they differ.
    return (headers["webhook-signature"] ?? "").split(" ").some((signature) => {
        const given = Buffer.from(signature);
        return given.length === expected.length && crypto.timingSafeEqual(given, expected);
    });
}

module.exports = { verify };
