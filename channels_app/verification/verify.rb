require "openssl"

TOLERANCE_SECONDS = 5 * 60

# Whether a notification comes from Tidings. Answer 401 where it does not.
# `secret` is the channel's (whsec_...), `headers` those of the request by lower-case name,
# and `body` its bytes as they came. In Rails: verify(secret, request.headers, request.raw_post)
def verify(secret, headers, body)
  id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
  key = secret.delete_prefix("whsec_").unpack1("m")
  sent_at = Integer(timestamp.to_s, 10, exception: false)
  return false if sent_at.nil? || (Time.now.to_i - sent_at).abs > TOLERANCE_SECONDS || key.empty?

  digest = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  expected = "v1,#{[digest].pack("m0")}"
  # Several while a secret is being rotated. secure_compare takes as long wherever they differ.
  given = headers["webhook-signature"].to_s.split
  given.any? { |signature| OpenSSL.secure_compare(expected, signature) }
end
