-- wrk: GET of one order as a page of the frontend, with the tokens of the file TOKENS in turn.
dofile(os.getenv("BENCHES") .. "/requests.lua")

prepared(function(requests)
    for token in io.lines(os.getenv("TOKENS")) do
        requests[#requests + 1] = wrk.format("GET", "/api/orders/1", {
            ["Host"] = wrk.headers["Host"],
            ["Accept"] = "application/json",
            ["Origin"] = "https://app.example.com",
            ["Authorization"] = "Bearer " .. token,
        })
    end
end)
