-- wrk: client_credentials with the application's secret in the body.
function init()
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
    wrk.body = "grant_type=client_credentials&scope=read%3Aorders&client_id=" .. os.getenv("CLIENT")
        .. "&client_secret=" .. os.getenv("SECRET") .. "&audience=" .. os.getenv("AUDIENCE")
end

function done(summary, latency)
    local errors = summary.errors
    local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("measured %d %.2f %.3f %d\n", summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1000, bad))
end
