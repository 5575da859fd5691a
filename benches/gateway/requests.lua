-- wrk: GET of one order as a page of the frontend, with the tokens of the file TOKENS in turn.
local requests, next = {}, 0

function init()
    for token in io.lines(os.getenv("TOKENS")) do
        requests[#requests + 1] = wrk.format("GET", "/api/orders/1", {
            ["Host"] = wrk.headers["Host"],
            ["Accept"] = "application/json",
            ["Origin"] = "https://app.example.com",
            ["Authorization"] = "Bearer " .. token,
        })
    end
end

function request()
    next = next % #requests + 1
    return requests[next]
end

function done(summary, latency)
    local errors = summary.errors
    local bad = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("measured %d %.2f %.3f %d\n", summary.requests, summary.requests / summary.duration * 1e6,
        latency:percentile(99) / 1000, bad))
end
