//! What runs inside the guest: PID 1, the runner, and the harness of the tests.
