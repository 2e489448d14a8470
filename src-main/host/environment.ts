/**
 * Imported first by every entry of the hosts. onnxruntime (1.29 and later) writes and may send telemetry on Linux and
 * macOS unless this is set on the main thread before any thread loads it; setting it inside a worker has no effect.
 */
process.env.ORT_DISABLE_TELEMETRY = '1';

/** NVIDIA cards since Ampere round float32 products to 10 bits by default, more than the self-test lets pass. */
process.env.NVIDIA_TF32_OVERRIDE ??= '0';
