"""The two queues as the stand-in has them; the ones at AWS are made with the same values."""

#: The account that moto answers for.
STAND_IN_ACCOUNT = "123456789012"
QUEUE = "huntaze-rate-limiter-queue"
DEAD_LETTER_QUEUE = f"{QUEUE}-dlq"
VISIBILITY_TIMEOUT_SECONDS = 120
#: Receives after which a message goes to the dead-letter queue.
RECEIVES_MAX = 5
RETENTION_SECONDS = 4 * 86_400
DEAD_LETTER_RETENTION_SECONDS = 14 * 86_400
