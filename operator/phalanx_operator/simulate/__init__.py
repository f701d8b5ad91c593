"""What the operator would do with a load: arrival traces through the very code that decides, against a modelled pool.

Theory of operation. Time goes in steps of a second, and nothing reads a clock: a run is a function of trace, profile,
resources and policy.

    trace     texts that arrive in each second; recorded, or drawn with a seed
    world     workers that start late, queue, answer with the students that their guard picks, shed what is too much
    watch     the same series that real workers expose, through the same windows, quantiles and guards as `observe/`
    policies  the operator's own decisions, or a baseline: fixed numbers, a HorizontalPodAutoscaler
    replay    the loop over them, and the score: what was late or refused, and what it cost

The decisions are the operator's own code. The workers are a model: a fluid queue with the spread of latencies that
batching and chance give. docs/simulation.md says what it leaves out, and how well it matches a real worker.
"""
